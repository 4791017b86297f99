"""Chunks of real files of every format, by every strategy and with the real tokeniser."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.models.catalog import find
from wenqu.models.e5 import open_embedder
from wenqu.readers.worker import ReadingPool
from wenqu.testing.chunks import check_chunks
from wenqu.text.chunk import chunk, embedding_text
from wenqu.types import BlockKind, Chunking, ChunkStrategy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wenqu.protocols import Embedder
    from wenqu.types import Document

pytestmark = pytest.mark.slow

TOKEN = re.compile("[\u4e00-\u9fff]|[^\\W\u4e00-\u9fff]{1,6}|[^\\w\\s]")
HUGE = 2_000_000
"""Characters of the longest document that each strategy is tried on."""


def token_starts(text: str) -> Sequence[int]:
    return [match.start() for match in TOKEN.finditer(text)]


@pytest.fixture(scope="module")
def documents(shared_data: Path) -> dict[str, Document]:
    folder = shared_data / "docfiles" / "files"
    if not folder.is_dir():
        pytest.skip("no docfiles in the folder of public data sets")

    async def read() -> dict[str, Document]:
        found: dict[str, Document] = {}
        async with ReadingPool(timeout_s=60, memory_mb=1024) as pool:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                try:
                    found[path.name] = await pool.read(path, path.name)
                except ReadError:
                    continue  # which files read is another test's business
        return found

    found = asyncio.run(read())
    assert len(found) > 50
    return found


@pytest.fixture(scope="module")
def embedder(models_dir: Path) -> Embedder:
    return open_embedder(find("multilingual-e5-small"), models_dir)


@pytest.mark.parametrize("strategy", list(ChunkStrategy))
def test_every_real_file_is_cut_into_exact_whole_chunks_that_are_small_enough(
    documents: dict[str, Document], strategy: ChunkStrategy
) -> None:
    chunking = Chunking(strategy=strategy, max_tokens=128, overlap=24)
    for name, document in documents.items():
        if len(document.text) > HUGE:
            continue
        try:
            check_chunks(document, chunk(document, chunking, token_starts), chunking, token_starts)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def test_later_rows_of_real_tables_have_their_header_rows(documents: dict[str, Document]) -> None:
    carried = 0
    for document in documents.values():
        tables = [block for block in document.blocks if block.kind is BlockKind.TABLE]
        if not tables or len(document.text) > HUGE:
            continue
        chunks = chunk(document, Chunking(max_tokens=256), token_starts)
        carried += sum(bool(one.header) for one in chunks)
        for one in chunks:
            assert one.header in embedding_text(one, document.title)
    assert carried > 100


def test_real_tables_and_texts_fit_what_the_embedder_reads(
    documents: dict[str, Document], embedder: Embedder
) -> None:
    chunking = Chunking(max_tokens=256)
    for name, document in documents.items():
        if len(document.text) > HUGE / 10:
            continue
        for one in chunk(document, chunking, embedder.token_starts):
            told = "\n".join(part for part in (one.header, one.text) if part)
            # A word that a cut goes through, and where lines are joined, may count once more.
            assert len(embedder.token_starts(told)) <= 256 + 4, (name, one.start)
