"""What ``wenqu tune`` says and stores, of a tuning that is made up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import typer

from wenqu.app import open_app
from wenqu.cli.session import Session
from wenqu.cli.tune import _advice, _apply, _show, _sizes
from wenqu.evaluation.tune import Setting, tuned
from wenqu.settings import Settings
from wenqu.types import ChunkStrategy, KnowledgeBase, KnowledgeBaseSettings

if TYPE_CHECKING:
    from pathlib import Path

    from wenqu.evaluation.tune import Tuning

PRESENT = Setting(chunk_tokens=256, lexical_weight=0.5, candidates=100, rerank=True)
OTHER = Setting(chunk_tokens=128, lexical_weight=0.2, candidates=200, rerank=False)
OWN = KnowledgeBaseSettings(chunk_strategy=ChunkStrategy.HEADING)
BASE = KnowledgeBase(id=1, name="手册", settings=OWN)


def _tuning(gain: float) -> Tuning:
    before = [0.2, 0.3, 0.4, 0.5] * 8
    after = [value + gain for value in before]
    return tuned({PRESENT: before, OTHER: after}, PRESENT, "nDCG@10")


def test_what_is_recommended_can_be_copied() -> None:
    assert _advice(BASE, _tuning(0.2)) == [
        "# wenqu.toml",
        "[retrieval]",
        "lexical_weight = 0.2",
        "candidates = 200",
        'reranker = "none"',
        "wenqu kb set 手册 --chunk-tokens 128",
    ]


@pytest.mark.parametrize(
    ("gain", "said"), [(0.2, "wenqu kb set 手册"), (0.0, "Nothing is better than the present")]
)
def test_a_gain_is_shown_with_its_interval_and_what_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], gain: float, said: str
) -> None:
    _show(Session(Settings(home=tmp_path, language="en")), BASE, _tuning(gain))
    out = capsys.readouterr().out
    assert said in out
    assert "32 questions" in out
    assert f"{gain:+.4f} [" in out


def test_only_the_chunk_size_is_stored_and_the_rest_of_its_settings_stay(tmp_path: Path) -> None:
    session = Session(Settings(home=tmp_path, language="en"))

    async def make() -> KnowledgeBase:
        async with open_app(home=tmp_path) as app:
            return await app.bases.create("手册", OWN)

    async def settings() -> KnowledgeBaseSettings:
        async with open_app(home=tmp_path) as app:
            return (await app.bases.get("手册")).settings

    _apply(session, asyncio.run(make()), _tuning(0.2))
    assert asyncio.run(settings()) == KnowledgeBaseSettings(
        chunk_strategy=ChunkStrategy.HEADING, chunk_tokens=128
    )


def test_chunk_sizes_are_numbers_within_bounds() -> None:
    assert _sizes("128, 256") == (128, 256)
    assert _sizes("") == ()
    for wrong in ("12", "many", "128;256", "501"):
        with pytest.raises(typer.BadParameter):
            _sizes(wrong)
