"""Real files from many projects, read as users' files are: by the pool, in a worker process.

The floors are a little below what was reached when they were set; nothing was tuned to a file.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from wenqu.errors import ReadError
from wenqu.readers.worker import ReadingPool
from wenqu.types import Document

DATA = Path(
    os.environ.get("WENQU_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data"
)
DOCFILES = DATA / "docfiles"
FLOORS = {"txt": 0.65, "html": 0.7, "csv": 0.99, "pdf": 0.6}

pytestmark = pytest.mark.skipif(
    not (DOCFILES / "manifest.jsonl").exists(),
    reason="no docfiles: set WENQU_TEST_DATA to the folder that holds them",
)
Outcome = Document | ReadError


def manifest() -> list[dict[str, Any]]:
    return [
        json.loads(row) for row in (DOCFILES / "manifest.jsonl").read_text("utf-8").splitlines()
    ]


@pytest.fixture(scope="module")
def outcomes() -> list[tuple[dict[str, Any], Outcome]]:
    async def work() -> list[tuple[dict[str, Any], Outcome]]:
        found: list[tuple[dict[str, Any], Outcome]] = []
        async with ReadingPool(timeout_s=120, memory_mb=1024) as pool:
            for row in manifest():
                try:
                    found.append((row, await pool.read(DOCFILES / row["file"], row["file"])))
                except ReadError as error:
                    found.append((row, error))
        return found

    return asyncio.run(work())


def bare(text: str) -> str:
    """Leave what a string says: no white space, no marks of Markdown, one form of a letter."""
    return re.sub(r"[\s|*_`#\\\u00ad-]+", "", unicodedata.normalize("NFKC", text))


@pytest.mark.slow
def test_no_real_file_crashes_or_hangs_a_reader(
    outcomes: list[tuple[dict[str, Any], Outcome]],
) -> None:
    bad = {"read.crashed", "read.timeout", "read.memory", "read.worker"}
    assert [str(o) for _, o in outcomes if isinstance(o, ReadError) and o.key in bad] == []


@pytest.mark.slow
def test_a_file_of_another_format_is_refused_by_name(
    outcomes: list[tuple[dict[str, Any], Outcome]],
) -> None:
    others = [o for row, o in outcomes if row["format"] in {"docx", "xlsx", "pptx", "doc", "jpg"}]
    assert others
    assert {o.key for o in others if isinstance(o, ReadError)} <= {"read.unsupported", "read.empty"}
    assert not [o.source for o in others if isinstance(o, Document)]


@pytest.mark.slow
def test_spans_and_boxes_hold_on_real_files(
    outcomes: list[tuple[dict[str, Any], Outcome]],
) -> None:
    for _, document in outcomes:
        if isinstance(document, ReadError):
            continue
        end = 0
        for block in document.blocks:
            assert end <= block.span.start < block.span.end <= len(document.text)
            assert (block.box is None) == (block.page is None)
            end = block.span.end


@pytest.mark.slow
def test_a_password_is_asked_for_and_not_guessed(
    outcomes: list[tuple[dict[str, Any], Outcome]],
) -> None:
    locked = [
        o for row, o in outcomes if row["format"] == "pdf" and row.get("password_verified") is True
    ]
    assert locked
    assert {o.key if isinstance(o, ReadError) else "" for o in locked} == {"read.encrypted"}


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(FLOORS))
def test_expected_strings_are_found(
    outcomes: list[tuple[dict[str, Any], Outcome]], family: str
) -> None:
    expected = found = 0
    for row, outcome in outcomes:
        if row["format"] != family:
            continue
        text = bare(outcome.text) if isinstance(outcome, Document) else ""
        expected += len(row["expected_text"])
        found += sum(bare(string) in text for string in row["expected_text"])
    assert expected
    assert found / expected >= FLOORS[family]
