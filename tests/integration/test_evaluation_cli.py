"""``wenqu eval`` and ``wenqu tune`` as a user runs them, with the real embedder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from wenqu.cli.main import app as cli

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

BRIDGES = (
    ("d1", "赵州桥建于隋代，由李春设计，跨度约 37 米。", "赵州桥是谁设计的？", "李春"),
    ("d2", "The Golden Gate Bridge opened in 1937.", "When did the Golden Gate open?", "1937"),
    ("d3", "面包需要面粉、水和酵母。", "做面包要哪些材料？", "面粉"),
    ("d4", "Staff have 15 days of paid leave each year.", "How long is paid leave?", "15 days"),
)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENQU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WENQU_MODELS__DIR", str(models_dir))
    monkeypatch.chdir(tmp_path)


def run(*arguments: object, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, [str(one) for one in arguments])
    assert done.exit_code == code, done.output
    return done


def payload(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def _lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "sets" / "桥梁"
    folder.mkdir(parents=True)
    _lines(folder / "corpus.jsonl", [{"id": one, "text": text} for one, text, *_ in BRIDGES])
    queries = [{"id": f"q{one}", "text": question} for one, _, question, _ in BRIDGES]
    queries.append({"id": "none", "text": "谁发明了电话？", "answerable": False})
    _lines(folder / "queries.jsonl", queries)
    answers = [
        {"id": f"q{one}", "answers": [answer], "evidence": [text]}
        for one, text, _, answer in BRIDGES
    ]
    _lines(folder / "answers.jsonl", answers)
    (folder / "qrels.tsv").write_text("".join(f"q{one}\t{one}\t1\n" for one, *_ in BRIDGES))
    return folder


@pytest.mark.slow
def test_a_set_is_measured_saved_listed_shown_compared_and_reported(
    tmp_path: Path, dataset: Path
) -> None:
    report = tmp_path / "report.html"
    done = run(
        "eval", dataset, "--answers", "extractive", "--name", "first", "--report", report,
        "--fail-under", "recall@1=.9", "--fail-under", "answers.right=.5",
    )  # fmt: skip
    assert "nDCG@10" in done.stdout
    assert "<svg" in report.read_text("utf-8")
    second = payload("eval", dataset, "--name", "second")
    assert second["runs"]["fused"]["recall@1"] == 1
    assert second["refusal"]["accuracy"]["n"] == 5
    assert [one["name"] for one in payload("eval", "list")] == ["first", "second"]
    assert payload("eval", "show", "fir")["answers"]["asked"] == 5
    compared = payload("eval", "compare", "first", "second")
    assert compared["metrics"]["nDCG@10"]["difference"] == 0
    assert payload("eval", "compare", "first:lexical", "first")["first"] == "first:lexical"
    run("eval", "report", "first", "second", "--out", tmp_path / "both.html")
    assert "second" in (tmp_path / "both.html").read_text("utf-8")


@pytest.mark.slow
def test_a_figure_below_its_floor_has_an_exit_code_of_its_own(dataset: Path) -> None:
    low = run("eval", dataset, "--fail-under", "recall@10=1.01", code=5)
    assert "recall@10" in low.stderr
    unknown = run("eval", dataset, "--fail-under", "recall@3=.5", code=3)
    assert "recall@5" in unknown.stderr
    run("eval", dataset, "--fail-under", "recall@10", code=2)


@pytest.mark.slow
def test_every_set_below_a_folder_is_in_one_report(tmp_path: Path, dataset: Path) -> None:
    args = ("eval", "all", dataset.parent, "--quick", "--no-generate", "--out")
    run(*args, tmp_path / "all.html")
    assert "桥梁" in (tmp_path / "all.html").read_text("utf-8")
    run("eval", "all", tmp_path / "home", code=3)


@pytest.mark.slow
def test_questions_are_drafted_accepted_measured_and_tuned_with(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for at in range(24):
        text = f"# 规定 {at}\n\n第 {at} 号库房的开放时间为每天 {at + 3} 小时，由管理员负责登记。\n"
        (folder / f"room{at}.md").write_text(text, "utf-8")
    run("add", folder, "--kb", "rooms")
    questions = tmp_path / "questions.jsonl"
    drafts = payload("eval", "make", "--kb", "rooms", "--no-llm", "-n", 30, "--out", questions)
    assert all(draft["accepted"] is False for draft in drafts)
    run("eval", "make", "--kb", "rooms", "--no-llm", "--out", questions, code=3)
    # A file is one of questions, to the only knowledge base there is.
    assert "drafts that nobody has accepted" in run("eval", questions, code=3).stderr
    rows = [
        {"question": f"{at} 号库房每天开多久？", "answer": f"{at + 3}", "document": f"room{at}.md"}
        for at in range(24)
    ]
    _lines(questions, rows)
    measured = payload("eval", "--kb", "rooms", questions)
    assert measured["queries"] == 24
    before = payload("kb", "list")
    found = payload("tune", questions, "--kb", "rooms", "--chunk-tokens", "", "--yes")
    assert found["questions"] == 24
    assert found["present"]["lexical_weight"] == 0.5
    assert payload("kb", "list") == before


def test_what_names_no_command_is_a_folder_to_measure() -> None:
    done = run("eval", "nowhere", code=3)
    assert "nowhere does not exist" in done.stderr
    assert "compare" in run("eval", "--help").stdout
