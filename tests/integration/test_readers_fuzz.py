"""Five hundred damaged copies of real files, the same at each run; bench/fuzz.py reads more."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions
from wenqu.readers.worker import ReadingPool
from wenqu.testing.docfiles import originals
from wenqu.testing.mutate import damaged

DATA = Path(
    os.environ.get("WENQU_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data"
)
DOCFILES = DATA / "docfiles"
FILES = 500
SEED = 2026
TIMEOUT_S = 60.0
GRACE_S = 60.0
CONTAINED = {"read.crashed", "read.timeout", "read.memory", "read.worker"}
MOST_CONTAINED = 5
"""Native parsers may overflow their stack; a reader's own mistake in Python is none of these."""


@pytest.mark.slow
@pytest.mark.skipif(
    not (DOCFILES / "manifest.jsonl").exists(),
    reason="no docfiles: set WENQU_TEST_DATA to the folder that holds them",
)
def test_damaged_files_are_text_or_an_error_of_their_own(tmp_path: Path) -> None:
    files = originals(DOCFILES)
    outcomes: Counter[str] = Counter()
    contained: list[str] = []

    async def work() -> None:
        options = ReadOptions(ocr=False, max_characters=5_000_000)
        async with ReadingPool(timeout_s=TIMEOUT_S, memory_mb=1024, options=options) as pool:
            for number in range(FILES):
                original, data = damaged(files, SEED, number)
                path = tmp_path / f"{number}{original.suffix}"
                path.write_bytes(data)
                # The pool answers in time, or this raises.
                async with asyncio.timeout(TIMEOUT_S + GRACE_S):
                    key, reason = await fate(pool, path)
                outcomes[key] += 1
                if key in CONTAINED:
                    contained.append(f"{original.name} {SEED}:{number} {key} {reason}")
                path.unlink()

    asyncio.run(work())
    assert not outcomes["read.worker"]
    assert [one for one in contained if "Error:" in one] == []
    assert len(contained) <= MOST_CONTAINED, contained
    assert outcomes["text"] + outcomes["read.damaged"] > FILES / 2


async def fate(pool: ReadingPool, path: Path) -> tuple[str, str]:
    """Return "text", or the error's key with its reason; check what a document promises."""
    try:
        document = await pool.read(path, path.name)
    except ReadError as error:
        return error.key, str(error.values.get("reason", ""))
    end = 0
    for block in document.blocks:
        assert end <= block.span.start < block.span.end <= len(document.text), path.name
        end = block.span.end
    "".join((document.title, document.text, *document.meta.values())).encode()
    return "text", ""
