"""Real files from many projects, read as users' files are: by the pool, in a worker process.

The floors are a little below what was reached when they were set; nothing was tuned to a file.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from wenqu.errors import ReadError
from wenqu.models.catalog import find
from wenqu.models.fetch import located, pull
from wenqu.protocols import ReadOptions
from wenqu.readers.worker import ReadingPool
from wenqu.testing.docfiles import DocFile, Share, everything, load
from wenqu.types import BlockKind, Document

DATA = Path(
    os.environ.get("WENQU_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data"
)
DOCFILES = DATA / "docfiles"
FOUND = 94.0
"""Percent of the expected strings, over all formats together."""
FOUND_OF_TEXT = 98.0
"""The same without the strings below."""
NOT_TEXT = {
    # A script's, which no reader of the page sees.
    ("testHTMLGoodScript.html", "cool"),
    ("testHTML_embedded_img_in_js.html", "moscow-birds"),
    # What the test that they come from calls the file, another file, and its delimiter.
    ("testTXT.txt", "testTXT.txt"),
    ("testTXT.txt", "testAU.au"),
    ("testColonDelimited.txt", "colon"),
    # What the same page gives with another setting: one of these excludes the other.
    ("testContentStreamSpaceGlyphs.pdf", "( overlap )"),
    ("testOverlappingText.pdf", "Text the first timesecond time"),
    # A heading that another reader writes above the body of every message.
    ("test_outlook_msg.msg", "## Content"),
}
"""Expected strings that were found, by eye, to be no text of their files."""
FLOORS = {
    "csv": 100.0,
    "doc": 100.0,
    "docx": 100.0,
    "eml": 100.0,
    "epub": 100.0,
    "html": 88.0,
    "msg": 88.0,
    "odt": 100.0,
    "pdf": 92.0,
    "ppt": 100.0,
    "pptx": 100.0,
    "rtf": 100.0,
    "xls": 94.0,
    "xlsx": 92.0,
    "xml": 100.0,
}
"""All expected strings by format, where there are some."""
WORDS = 92.0
"""Percent of the words of the texts that others wrote down of these files."""
ROWS = 68.0
"""Percent of their tables' rows, whole and cell by cell."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (DOCFILES / "manifest.jsonl").exists(),
        reason="no docfiles: set WENQU_TEST_DATA to the folder that holds them",
    ),
]
Outcome = Document | ReadError


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A file, what came of it as it is, and with its password where it wants one."""

    file: DocFile
    outcome: Outcome
    opened: Outcome

    @property
    def text(self) -> str:
        """All that was read at last."""
        return everything(self.opened) if isinstance(self.opened, Document) else ""


async def one(pool: ReadingPool, file: DocFile) -> Outcome:
    try:
        return await pool.read(file.path, file.name)
    except ReadError as error:
        return error


async def with_password(file: DocFile, *passwords: str) -> Outcome:
    async with ReadingPool(options=ReadOptions(passwords=passwords)) as pool:
        return await one(pool, file)


@pytest.fixture(scope="module")
def cases(models_dir: Path) -> list[Case]:
    entry = find("pp-ocrv6-small")
    weights = located(entry, models_dir) or pull(entry, models_dir, lambda *_: None)

    async def work() -> list[Case]:
        found = []
        async with ReadingPool(options=ReadOptions(ocr_weights=weights)) as pool:
            for file in load(DOCFILES):
                outcome = await one(pool, file)
                opened = (
                    await with_password(file, "not it", file.password) if file.password else outcome
                )
                found.append(Case(file=file, outcome=outcome, opened=opened))
        return found

    return asyncio.run(work())


def test_no_real_file_crashes_or_hangs_a_reader(cases: list[Case]) -> None:
    bad = {"read.crashed", "read.timeout", "read.memory", "read.worker"}
    errors = [c.opened for c in cases if isinstance(c.opened, ReadError)]
    assert [str(error) for error in errors if error.key in bad] == []


def test_no_real_format_is_unknown(cases: list[Case]) -> None:
    errors = [c.outcome for c in cases if isinstance(c.outcome, ReadError)]
    assert [str(error) for error in errors if error.key in {"read.unsupported", "read.extra"}] == []


def test_every_error_says_what_to_do(cases: list[Case]) -> None:
    errors = [c.outcome for c in cases if isinstance(c.outcome, ReadError)]
    assert [error.key for error in errors if not error.hint("zh") or not error.hint("en")] == []


def test_a_sound_file_without_a_password_is_read(cases: list[Case]) -> None:
    refused = [
        f"{c.file.name}: {c.outcome}"
        for c in cases
        if isinstance(c.outcome, ReadError) and c.file.kind in {"normal", "large", "encoding"}
    ]
    assert refused == []


def test_a_file_that_must_fail_says_why(cases: list[Case]) -> None:
    must = [c for c in cases if c.file.row["must_fail_cleanly"]]
    assert must
    assert [c.file.name for c in must if isinstance(c.outcome, Document)] == []


def test_a_password_is_asked_for(cases: list[Case]) -> None:
    locked = [c for c in cases if c.file.locked]
    assert locked
    wrong = [c.file.name for c in locked if getattr(c.outcome, "key", "text") != "read.encrypted"]
    assert wrong == []


def test_a_password_opens_its_file_whatever_stands_before_it(cases: list[Case]) -> None:
    ours = [c for c in cases if c.file.password]
    assert ours
    assert [f"{c.file.name}: {c.opened}" for c in ours if isinstance(c.opened, ReadError)] == []


def test_a_wrong_password_is_told_from_none(cases: list[Case]) -> None:
    for case in cases:
        if case.file.password:
            outcome = asyncio.run(with_password(case.file, "not it"))
            assert isinstance(outcome, ReadError), case.file.name
            assert outcome.key == "read.password", case.file.name


def test_spans_pages_and_boxes_hold_on_real_files(cases: list[Case]) -> None:
    for case in cases:
        if isinstance(case.opened, ReadError):
            continue
        document, end = case.opened, 0
        for block in document.blocks:
            assert end <= block.span.start < block.span.end <= len(document.text), case.file.name
            assert block.box is None or block.page is not None, case.file.name
            assert block.page is None or block.page >= 1, case.file.name
            end = block.span.end


def test_every_block_of_a_pdf_is_on_a_page_of_it(cases: list[Case]) -> None:
    for case in cases:
        if case.file.format == "pdf" and isinstance(case.opened, Document) and case.file.pages:
            # What has no page came in a file that is attached to the PDF.
            pages = {block.page for block in case.opened.blocks} - {None}
            assert pages <= set(range(1, case.file.pages + 1)), case.file.name


def test_a_table_is_one_block_with_its_header_row_but_for_what_goes_on_over_a_page(
    cases: list[Case],
) -> None:
    seen = over = 0
    for case in cases:
        if isinstance(case.opened, ReadError):
            continue
        for block in case.opened.blocks:
            if block.kind is BlockKind.TABLE:
                text = case.opened.text
                if text[: block.span.start].endswith("|\n"):
                    over += 1
                    continue
                seen += 1
                lines = text[block.span.start : block.span.end].splitlines()
                assert len(lines) > 1, case.file.name
                assert set(lines[1]) <= set("| -:"), case.file.name
    assert seen
    assert over


def test_encodings_are_right(cases: list[Case]) -> None:
    told = [c for c in cases if c.file.decoded("") is not None]
    assert told
    assert [c.file.name for c in told if not c.file.decoded(c.text)] == []


def found_in(cases: list[Case]) -> Share:
    wanted = sum(len(c.file.strings) for c in cases)
    lacking = sum(len(c.file.missing(c.text)) for c in cases)
    return Share(found=wanted - lacking, of=wanted)


def test_expected_strings_are_found(cases: list[Case]) -> None:
    assert (found_in(cases).percent or 0) >= FOUND


def test_expected_strings_that_are_text_of_their_files_are_found(cases: list[Case]) -> None:
    def real(case: Case, strings: list[str]) -> list[str]:
        return [one for one in strings if (case.file.path.name, one) not in NOT_TEXT]

    wanted = sum(len(real(c, c.file.strings)) for c in cases)
    lacking = [f"{c.file.name}: {s}" for c in cases for s in real(c, c.file.missing(c.text))]
    assert 100 * len(lacking) <= (100 - FOUND_OF_TEXT) * wanted, lacking


@pytest.mark.parametrize("family", sorted(FLOORS))
def test_expected_strings_of_a_format_are_found(cases: list[Case], family: str) -> None:
    share = found_in([c for c in cases if c.file.format == family])
    assert share.of
    assert (share.percent or 0) >= FLOORS[family]


def test_the_words_that_others_wrote_down_are_found(cases: list[Case]) -> None:
    share = sum((c.file.words_found(c.text) for c in cases), Share())
    assert (share.percent or 0) >= WORDS


def test_the_rows_of_tables_that_others_wrote_down_are_found(cases: list[Case]) -> None:
    share = sum((c.file.rows_found(c.text) for c in cases), Share())
    assert (share.percent or 0) >= ROWS
