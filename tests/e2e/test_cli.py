"""The command line as its user runs it: other processes, real files, the real embedder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

import wenqu

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
NUMBER_OF_SAMPLES = sum(path.is_file() for path in SAMPLES.rglob("*"))
NEWLINE = "\n"


@dataclass(frozen=True, slots=True)
class Cli:
    """Runs ``wenqu`` in a home of its own."""

    home: Path
    models: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(wenqu.__file__).parents[1]),
            "HOME": str(self.home.parent),
            "WENQU_HOME": str(self.home),
            "WENQU_MODELS__DIR": str(self.models),
            "LANG": "en_US.UTF-8",
            **self.extra,
        }

    def __call__(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "wenqu", *map(str, arguments)],
            check=False,
            capture_output=True,
            cwd=self.home.parent,
            encoding="utf-8",
            env=self.environment,
            timeout=300,
        )
        assert done.returncode == code, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """Run with ``--json``; all of standard output must be one JSON value."""
        return json.loads(self(*arguments, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Cli:
    """Wenqu with the samples in knowledge base ``demo``."""
    made = Cli(tmp_path_factory.mktemp("cli") / "home", models_dir.absolute())
    made("add", SAMPLES, "--kb", "demo")
    return made


def test_adding_again_changes_nothing_and_says_so(cli: Cli) -> None:
    report = cli.json("add", SAMPLES, "--kb", "demo")
    assert report["kb"] == "demo"
    assert report["counts"] == {
        "added": 0,
        "changed": 0,
        "unchanged": NUMBER_OF_SAMPLES,
        "removed": 0,
        "left_out": 0,
        "failed": 0,
    }
    assert (report["chunks"], len(report["files"])) == (0, NUMBER_OF_SAMPLES)
    assert "embed" not in report["busy_ms"]


def test_search_prints_hits_with_the_scores_of_each_origin(cli: Cli) -> None:
    found = cli.json("search", "年假有多少天？", "--kb", "demo", "--top", "3")
    assert set(found) == {"hits", "skipped", "timings_ms"}
    assert len(found["hits"]) == 3
    best = found["hits"][0]
    assert set(best) >= {"document", "title", "page", "text", "start", "end", "scores"}
    # The samples are in both languages: what only compares across them may be there too.
    more = {"levelled", "translated"}
    assert set(best["scores"]) - more == {"lexical", "dense", "fused"}
    assert Path(best["document"]).name == "年假制度.md"
    fused = [hit["scores"]["fused"] for hit in found["hits"]]
    assert fused == sorted(fused, reverse=True)
    document = cli.json("doc", "show", best["document"], "--kb", "demo")
    assert document["text"][best["start"] : best["end"]] == best["text"]


def test_an_answer_without_a_model_quotes_and_cites(cli: Cli) -> None:
    answer = cli.json("ask", "年假可以留到明年吗？", "--kb", "demo", "--no-llm")
    assert set(answer) >= {"outcome", "answer", "citations", "hits", "timings_ms"}
    assert (answer["outcome"], answer["model"], answer["language"]) == ("answered", None, "zh")
    assert "可以结转到下一年" in answer["answer"]
    for citation in answer["citations"]:
        assert set(citation) >= {"marker", "document", "page", "quote", "supported"}
        assert Path(citation["document"]).name == "年假制度.md"  # 问渠简介.md asks the same
        assert citation["supported"] is True
        assert citation["quote"] in answer["answer"]
        assert f"[{citation['marker']}]" in answer["answer"]
    cited = answer["citations"][0]
    document = cli.json("doc", "show", cited["document_id"], "--kb", "demo")
    assert document["text"][cited["start"] : cited["end"]] == cited["quote"]


def test_a_question_that_the_documents_do_not_answer_is_refused_with_code_0(cli: Cli) -> None:
    answer = cli.json("ask", "今天天气怎么样？", "--kb", "demo", "--no-llm")
    assert answer["outcome"] in {"out_of_scope", "no_evidence"}
    assert answer["citations"] == []
    assert answer["answer"].startswith("文档中没有相关内容")


def test_the_sources_are_printed_before_the_answer(cli: Cli) -> None:
    shown = cli("ask", "年假可以留到明年吗？", "--kb", "demo", "--no-llm").stdout
    first = shown.index("[1]")
    assert shown.index("Sources") < first < shown.index("Citations")
    assert "年假制度.md" in shown[: shown.index("Citations")]


def test_messages_are_in_the_language_of_the_user(cli: Cli) -> None:
    chinese = Cli(cli.home, cli.models, {"WENQU_LANGUAGE": "zh"})
    assert "来源" in chinese("ask", "年假可以留到明年吗？", "--kb", "demo", "--no-llm").stdout
    missing = chinese("kb", "stats", "nowhere", code=3)
    assert missing.stderr.startswith("错误：没有名为 nowhere 的知识库。\n提示：")
    assert "把文件和目录加入知识库" in chinese("--help").stdout
    by_locale = Cli(cli.home, cli.models, {"LANG": "zh_CN.UTF-8"})
    assert by_locale("kb", "stats", "nowhere", code=3).stderr == missing.stderr


def test_chinese_is_printed_whatever_the_terminals_encoding(cli: Cli) -> None:
    plain = Cli(cli.home, cli.models, {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert "年假制度" in plain("doc", "list", "--kb", "demo").stdout


def test_knowledge_bases_are_made_counted_and_deleted(cli: Cli) -> None:
    assert cli.json("kb", "create", "临时 base") == {
        "name": "临时 base",
        "documents": 0,
        "chunks": 0,
        "characters": 0,
        "chunk_strategy": "auto",
        "chunk_tokens": 256,
        "chunk_overlap": 0,
        "prompt": None,
    }
    assert [base["name"] for base in cli.json("kb", "list")] == ["demo", "临时 base"]
    assert cli("kb", "create", "demo", code=3).stdout == ""
    assert cli.json("kb", "stats", "demo")["documents"] == NUMBER_OF_SAMPLES
    cli("kb", "delete", "临时 base", "--yes")
    assert [base["name"] for base in cli.json("kb", "list")] == ["demo"]


def test_documents_are_listed_shown_and_removed(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "甲.md").write_text("# 甲\n\n甲的内容。", "utf-8")
    (tmp_path / "b.txt").write_text("Content of b.", "utf-8")
    cli("add", tmp_path, "--kb", "docs")
    listed = cli.json("doc", "list", "--kb", "docs")
    assert [Path(one["source"]).name for one in listed] == ["b.txt", "甲.md"]
    shown = cli.json("doc", "show", "甲.md", "--kb", "docs")
    assert "甲的内容。" in shown["text"]
    for chunk in shown["chunks"]:
        assert shown["text"][chunk["start"] : chunk["end"]] == chunk["text"]
    cli("doc", "remove", "甲.md", "--kb", "docs")
    assert len(cli.json("doc", "list", "--kb", "docs")) == 1
    cli("doc", "show", "甲.md", "--kb", "docs", code=3)
    assert cli.json("search", "甲的内容", "--kb", "docs")["hits"][0]["document"].endswith("b.txt")


def test_a_file_that_cannot_be_read_is_reported_and_stops_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("good", "utf-8")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nnot really")
    (tmp_path / "program").write_bytes(b"\x7fELF" + bytes(64))
    report = cli.json("add", tmp_path, "--kb", "mixed", code=4)
    statuses = {Path(one["source"]).name: one["status"] for one in report["files"]}
    assert statuses == {"good.md": "added", "broken.pdf": "failed", "program": "left_out"}
    (failed,) = (one for one in report["files"] if one["status"] == "failed")
    assert failed["error"]
    assert failed["hint"]
    shown = cli("add", tmp_path, "--kb", "mixed", code=4)
    assert "broken.pdf" in shown.stderr


def test_pruning_removes_what_is_gone_and_ignoring_leaves_out(cli: Cli, tmp_path: Path) -> None:
    for name in ("a.md", "b.md", "c.log.md"):
        (tmp_path / name).write_text(name, "utf-8")
    first = cli.json("add", tmp_path, "--kb", "pruned", "--ignore", "*.log.md")
    assert first["counts"]["added"] == 2
    (tmp_path / "b.md").unlink()
    second = cli.json("add", tmp_path, "--kb", "pruned", "--prune", "--ignore", "*.log.md")
    assert (second["counts"]["unchanged"], second["counts"]["removed"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["search"], 2),
        (["search", "x", "--top", "0"], 2),
        (["nonsense"], 2),
        (["search", "x", "--kb", "nowhere"], 3),
        (["search", "  ", "--kb", "demo"], 3),
        (["add", "nowhere"], 3),
        (["kb", "create", "a/b"], 3),
        (["doc", "show", "nowhere", "--kb", "demo"], 3),
        (["eval", "nowhere"], 3),
        (["models", "pull", "nothing"], 3),
        (["kb", "stats", os.fsdecode(b"\xff")], 3),
    ],
)
def test_exit_codes_say_whose_fault_it_was(cli: Cli, arguments: list[str], code: int) -> None:
    done = cli(*arguments, code=code)
    assert done.stdout == ""
    assert done.stderr.strip()


def test_names_and_questions_that_are_not_utf8_break_nothing(cli: Cli, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + "制度.md".encode("gbk")))
    path.write_text("赵州桥建于隋代。", "utf-8")
    assert cli.json("add", tmp_path, "--kb", "odd")["counts"]["added"] == 1
    question = os.fsdecode("赵州桥".encode() + b" \xff")
    (hit,) = cli.json("search", question, "--kb", "odd")["hits"]
    assert hit["document"].startswith(str(tmp_path))
    assert cli.json("ask", question, "--kb", "odd", "--no-llm")["outcome"] == "answered"


def test_a_misspelt_setting_stops_every_command(cli: Cli) -> None:
    wrong = Cli(cli.home, cli.models, {"WENQU_CHAT__MODLE": "x"})
    assert "modle" in wrong("kb", "list", code=3).stderr.lower()


def test_a_database_that_cannot_be_opened_has_code_1(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "wenqu.db").write_bytes(b"some other file, long enough for a header" * 100)
    done = cli("kb", "list", "--home", tmp_path, code=1)
    assert done.stderr.startswith("Error:")


def test_the_home_folder_may_be_named_before_and_after_the_command(
    cli: Cli, tmp_path: Path
) -> None:
    cli("kb", "create", "elsewhere", "--home", tmp_path / "other")
    assert [one["name"] for one in cli.json("--home", tmp_path / "other", "kb", "list")] == [
        "elsewhere"
    ]
    assert "elsewhere" not in {one["name"] for one in cli.json("kb", "list")}


def test_an_evaluation_prints_its_measures_and_nothing_else(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "桥梁"
    folder.mkdir()
    corpus = [
        {"id": "d1", "title": "", "text": "赵州桥建于隋代，由李春设计。"},
        {"id": "d2", "title": "", "text": "The Golden Gate Bridge opened in 1937."},
        {"id": "d3", "title": "", "text": "面包需要面粉、水和酵母。"},
    ]
    queries = [
        {"id": "q1", "text": "赵州桥是谁设计的？"},
        {"id": "q2", "text": "When was the Golden Gate Bridge opened?"},
    ]
    for name, lines in (("corpus", corpus), ("queries", queries)):
        text = NEWLINE.join(json.dumps(line, ensure_ascii=False) for line in lines)
        (folder / f"{name}.jsonl").write_text(text, "utf-8")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\n", "utf-8")
    for _ in range(2):  # the second time reuses the index of the first
        report = cli.json("eval", folder)
        assert {name: report[name] for name in ("dataset", "documents", "queries")} == {
            "dataset": "桥梁",
            "documents": 3,
            "queries": 2,
        }
        assert list(report["runs"]) == ["lexical", "dense", "fused"]
        for run in report["runs"].values():
            assert set(run) == {
                "recall@1",
                "recall@5",
                "recall@10",
                "MRR@10",
                "nDCG@10",
                "ms_per_query",
            }
            assert run["recall@1"] == run["nDCG@10"] == 1
            assert run["ms_per_query"] > 0
    assert "nDCG@10" in cli("eval", folder).stdout


def test_the_same_hits_come_after_the_index_folder_was_deleted(cli: Cli) -> None:
    before = cli.json("search", "差旅标准", "--kb", "demo")["hits"]
    (index,) = (path for path in (cli.home / "indexes").iterdir() if path.name == "1")
    for path in sorted(index.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert cli.json("search", "差旅标准", "--kb", "demo")["hits"] == before


def test_the_doctor_finds_a_healthy_wenqu(cli: Cli) -> None:
    checks = cli.json("doctor")
    names = {check["name"] for check in checks}
    assert {"Python", "openvino", "tantivy", "home", "database"} <= names
    assert all(check["health"] in {"good", "note"} for check in checks)


def test_models_are_listed_with_where_they_are(cli: Cli) -> None:
    models = {model["name"]: model for model in cli.json("models", "list")}
    assert Path(models["multilingual-e5-small"]["path"]).exists()
    known = [model for model in models.values() if model["sha256"] is not None]
    assert len(known) >= 4
    assert all(len(model["sha256"]) == 64 for model in known)


def test_the_server_says_where_it_is_and_stops_when_it_is_interrupted(cli: Cli) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "wenqu", "serve", "--port", "0", "--kb", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=cli.environment,
    ) as server:
        assert server.stderr is not None
        try:
            line = server.stderr.readline()
            url = next(word for word in line.split() if word.startswith("http://"))
            with urlopen(f"{url}/api/kbs") as response:  # noqa: S310  # our own server
                assert json.load(response)["first"] == "demo"
        finally:
            server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=300)
    assert server.returncode == 0
    assert "Traceback" not in errors
