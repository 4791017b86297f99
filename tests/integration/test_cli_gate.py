"""``wenqu gate`` over the samples, with the real embedder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from wenqu.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
ACCEPT = """
年假有几天？
年假可以留到明年吗？
报销多久到账？
出差住宿标准是多少？
会议室怎么预订？
怎么连接公司的 VPN？
How many people must approve a release?
How are versions numbered?
What must I do in a security incident?
发票要什么时候交？
"""
REJECT = [
    "怎么学习量子力学？",
    "红烧肉怎么做？",
    "周杰伦最新的专辑叫什么？",
    "宝宝半夜哭闹怎么办？",
    "猫咪不吃东西怎么办？",
    "What is the capital of France?",
    "How do I cook spaghetti?",
    "Who won the world cup?",
    "How far is the sun from the earth?",
    "大家中午吃啥",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Callable[..., Result]:
    """Run a command in a home that has the samples in knowledge base ``demo``."""
    home = tmp_path_factory.mktemp("gate")
    # The variables of the tests themselves are no settings of wenqu.
    environment: dict[str, str | None] = {
        **{name: None for name in os.environ if name.startswith("WENQU_")},
        "WENQU_HOME": str(home),
        "WENQU_MODELS__DIR": str(models_dir.absolute()),
        "LANG": "en_US.UTF-8",
    }

    def invoke(*arguments: str | Path, code: int = 0) -> Result:
        done = CliRunner().invoke(app, [str(one) for one in arguments], env=environment)
        assert done.exit_code == code, done.output
        return done

    invoke("add", SAMPLES, "--kb", "demo")
    return invoke


@pytest.fixture
def lists(tmp_path: Path) -> tuple[Path, Path]:
    accept, reject = tmp_path / "accept.txt", tmp_path / "reject.json"
    accept.write_text(ACCEPT, "utf-8")
    reject.write_text(json.dumps(REJECT, ensure_ascii=False), "utf-8")
    return accept, reject


def payload(done: Result) -> Any:
    return json.loads(done.stdout)


def test_a_gate_is_fitted_measured_kept_used_and_forgotten(
    run: Callable[..., Result], lists: tuple[Path, Path], tmp_path: Path
) -> None:
    plot = tmp_path / "gate.html"
    found = payload(run("gate", "fit", *lists, "--plot", plot, "--json"))
    assert (found["accepted"], found["rejected"], found["by_words"]) == (10, 10, 1)
    assert found["stored"] is True
    assert found["fitted"]["auc"] >= 0.9
    assert plot.read_text("utf-8").count("<svg") == 2

    shown = payload(run("gate", "show", "--json"))
    assert shown["fitted"] is True
    assert shown["model"] == found["model"]
    tested = payload(run("gate", "test", "年假有几天？", "--json"))
    assert tested["fitted"] is True
    assert tested["threshold"] == pytest.approx(found["threshold"], abs=1e-3)

    assert "forgotten" in run("gate", "reset").output
    assert payload(run("gate", "show", "--json"))["fitted"] is False


def test_a_dry_run_measures_and_keeps_nothing(
    run: Callable[..., Result], lists: tuple[Path, Path]
) -> None:
    shown = run("gate", "fit", *lists, "--keep", "0.9", "--dry-run").output
    for said in ("fitted gate", "gate that ships", "similarity threshold", "Operating point"):
        assert said in shown
    assert payload(run("gate", "show", "--json"))["fitted"] is False


def test_a_decision_is_explained_by_features_that_add_up(run: Callable[..., Result]) -> None:
    tested = payload(run("gate", "test", "报销多久到账？", "--json"))
    assert tested["outcome"] is None
    assert tested["probability"] >= tested["threshold"]
    assert {one["name"] for one in tested["features"]} == {
        "likeness",
        "lead",
        "coverage",
        "lexical_lead",
    }
    for one in tested["features"]:
        moved = one["value"] - one["typical"]
        assert one["contribution"] == pytest.approx(one["weight"] * moved, abs=5e-3)
    assert "speaks most for it" in run("gate", "test", "报销多久到账？").output


def test_what_words_alone_decide_has_no_features(run: Callable[..., Result]) -> None:
    tested = payload(run("gate", "test", "大家中午吃啥", "--json"))
    assert (tested["outcome"], tested["features"]) == ("not_a_question", [])


@pytest.mark.parametrize("content", ["", "[1, 2]", "[not json", '["只有一个问题"]'])
def test_lists_that_cannot_be_used_are_refused_with_a_hint(
    run: Callable[..., Result], lists: tuple[Path, Path], content: str
) -> None:
    lists[1].write_text(content, "utf-8")
    refused = run("gate", "fit", *lists, code=3)
    assert "Hint" in refused.output or "hint" in refused.output
