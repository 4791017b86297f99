"""The numbers that the catalog has of its chat models, held against the files and a real run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from wenqu.models.catalog import CATALOG
from wenqu.models.fetch import located
from wenqu.models.gguf import read_gguf
from wenqu.models.llamacpp import LlamaCppChat
from wenqu.models.speed import SpeedPlan, measure

if TYPE_CHECKING:
    from pathlib import Path

    from wenqu.models.catalog import ModelEntry

CHATS = [entry for entry in CATALOG.values() if entry.role == "chat"]


@pytest.mark.parametrize("entry", CHATS, ids=lambda entry: entry.name)
def test_what_the_catalog_knows_of_a_model_is_what_its_header_says(
    entry: ModelEntry, models_dir: Path
) -> None:
    path = located(entry, models_dir)
    if path is None:
        pytest.skip(f"not here: `wenqu models pull {entry.name}` fetches it")
    header = read_gguf(path)
    assert header.shape == entry.shape
    # What four bits are said to take, against a file of about four bits.
    assert header.shape.weight_bytes(4) == pytest.approx(header.weight_bytes, rel=0.15)


@pytest.mark.slow
def test_a_real_model_is_measured(models_dir: Path) -> None:
    path = located(CHATS[0], models_dir)
    if path is None:
        pytest.skip("the default chat model is not here: `wenqu models pull` fetches it")

    async def work() -> None:
        chat = LlamaCppChat(path, threads=1)
        try:
            speed = await measure(chat, SpeedPlan(prompt_tokens=16, answer_tokens=8, runs=1))
        finally:
            await chat.close()
        # The question and the words around it are read, too.
        assert 16 < speed.prompt_tokens < 100
        assert speed.answer_tokens == 8
        assert speed.counted
        assert min(speed.prompt_per_s, speed.answer_per_s) > 0

    asyncio.run(work())
