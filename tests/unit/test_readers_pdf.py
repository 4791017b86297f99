"""PDF: pages, boxes, passwords, tables, comments, recognition. The files are written here."""

from __future__ import annotations

import hashlib
import math
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS, ReadOptions
from wenqu.readers.pages import ocr
from wenqu.readers.pages.ocr import Recognized
from wenqu.readers.pages.pdf import PdfReader
from wenqu.readers.pages.pdf_text import TextLayer, tried
from wenqu.testing.contracts_reader import ReaderContract

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.types import Document

SAMPLE = Path(__file__).parents[2] / "samples" / "handbook" / "差旅标准.pdf"
Drawn = tuple[float, float, float, str]
"""Left, distance from the top, size, text."""

BODY = "Words of a paragraph that goes on for long enough to fill the"
PAGE: list[Drawn] = [
    (72, 780, 9, "Foot drawn first"),
    (72, 72, 20, "A Title"),
    (72, 110, 11, BODY),
    (72, 124, 11, "whole line and is hyphen-"),
    (72, 138, 11, "ated, then it ends."),
    (72, 180, 14, "Section"),
    (72, 210, 11, "Other words that are no part of it."),
]


def drawn(page: list[Drawn]) -> str:
    return "".join(
        f"BT /F {size} Tf {left} {842 - top - size} Td ({text}) Tj ET\n"
        for left, top, size, text in page
    )


def pdf(  # noqa: PLR0913  # what a file may have
    pages: list[list[Drawn]],
    info: str = "",
    *,
    also: str = "",
    catalog: str = "",
    page_entries: str = "",
    objects: tuple[str, ...] = (),
    trailer: str = "",
    coded: str = "",
    cipher: Callable[[int, str], str] = lambda _, data: data,
) -> bytes:
    """Write a PDF whose pages draw texts in Helvetica.

    ``objects`` are numbers 4 and on; ``also`` is drawn on each page; the entries go to the
    dictionaries of the catalogue and of each page; ``coded`` is the filter of contents.
    """
    parts = [
        f"<</Type/Catalog/Pages 2 0 R{catalog}>>",
        "",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        *objects,
    ]
    kids = []
    for page in pages:
        stream = cipher(len(parts) + 1, drawn(page) + also)
        parts.append(f"<</Length {len(stream)}{coded}>>stream\n{stream}endstream")
        parts.append(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]"
            f"/Resources<</Font<</F 3 0 R>>/XObject<</Im 4 0 R>>>>{page_entries}"
            f"/Contents {len(parts)} 0 R>>"
        )
        kids.append(f"{len(parts)} 0 R")
    parts[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>"
    parts.append(f"<<{info}>>")
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(parts, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj{content}endobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    return (
        f"{body}xref\n0 {len(parts) + 1}\n0000000000 65535 f \n{table}"
        f"trailer<</Size {len(parts) + 1}/Root 1 0 R/Info {len(parts)} 0 R{trailer}>>\n"
        f"startxref\n{len(body)}\n%%EOF"
    ).encode("latin-1")


def read(
    pages: list[list[Drawn]], page_entries: str = "", *, info: str = "", also: str = ""
) -> Document:
    data = pdf(pages, info, also=also, page_entries=page_entries)
    return PdfReader().read(data, "x.pdf")


def texts(document: Document) -> list[tuple[str, str]]:
    return [(b.kind.value, document.text[b.span.start : b.span.end]) for b in document.blocks]


class TestPdfReader(ReaderContract):
    def reader(self) -> PdfReader:
        return PdfReader()

    def samples(self) -> dict[str, bytes]:
        return {"english.pdf": pdf([PAGE]), "差旅标准.pdf": SAMPLE.read_bytes()}


def test_lines_become_paragraphs_and_large_lines_headings_in_reading_order() -> None:
    assert texts(read([PAGE])) == [
        ("heading", "A Title"),
        ("paragraph", f"{BODY} whole line and is hyphenated, then it ends."),
        ("heading", "Section"),
        ("paragraph", "Other words that are no part of it."),
        ("paragraph", "Foot drawn first"),
    ]


def test_a_block_knows_its_page_and_where_on_it() -> None:
    document = read([PAGE, [(100, 200, 11, "On the second page.")]])
    last = document.blocks[-1]
    assert (document.blocks[0].page, last.page) == (1, 2)
    assert last.box is not None
    assert math.isclose(last.box.left, 100, abs_tol=2)
    assert math.isclose(last.box.top, 200, abs_tol=4)
    assert math.isclose(last.box.bottom, 212, abs_tol=4)
    assert document.meta["pages"] == "2"


def test_running_heads_and_page_numbers_are_dropped() -> None:
    pages: list[list[Drawn]] = [
        [(72, 30, 9, "The Handbook"), (72, 300, 11, f"Words {word}."), (280, 800, 9, f"Page {n}")]
        for n, word in enumerate(("one", "two", "three", "four"), 1)
    ]
    assert read(pages).text == "Words one.\n\nWords two.\n\nWords three.\n\nWords four."


def test_wide_gaps_make_a_table() -> None:
    rows = [("City", "Limit"), ("Beijing", "600"), ("Elsewhere", "350")]
    page = [
        (x, 100 + 20 * n, 11.0, row[c])
        for n, row in enumerate(rows)
        for c, x in ((0, 72), (1, 300))
    ]
    assert texts(read([page])) == [
        ("table", "| City | Limit |\n| --- | --- |\n| Beijing | 600 |\n| Elsewhere | 350 |")
    ]


def test_the_title_is_that_of_the_file_unless_a_program_made_it_up() -> None:
    assert (
        read([PAGE], info="/Title(The Guide)/Author(Ada)/CreationDate(D:20240305)").title
        == "The Guide"
    )
    assert read([PAGE], info="/Title(Microsoft Word - x.doc)").title == "A Title"
    assert read([PAGE], info="/CreationDate(D:20240305120000)").meta["date"] == "2024-03-05"


def test_a_file_of_pictures_says_that_it_has_no_text() -> None:
    with pytest.raises(ReadError) as caught:
        read([[], []])
    assert caught.value.key == "read.no_text"
    assert "2" in str(caught.value)


def test_a_damaged_file_is_an_error_with_its_reason() -> None:
    with pytest.raises(ReadError) as caught:
        PdfReader().read(b"%PDF-1.7\nnothing more", "x.pdf")
    assert caught.value.key == "read.damaged"


def test_the_chinese_sample_is_read_with_its_table_and_without_its_running_head() -> None:
    document = PdfReader().read(SAMPLE.read_bytes(), "差旅标准.pdf")
    assert "| 北京、上海、深圳、广州 | 600 | 850 |" in document.text
    assert "员工手册" not in document.text
    assert document.title == "差旅标准"
    assert document.language == "zh"
    assert "乘坐飞机一律为经济舱，须至少提前五天订票" in document.text


RULES = "".join(f"{x} 600 m {x} 720 l S\n" for x in (70, 200, 400)) + "".join(
    f"70 {y} m 400 {y} l S\n" for y in (600, 640, 680, 720)
)
CELLS: list[Drawn] = [
    (75, 130, 11, "Name"),
    (210, 130, 11, "What it is"),
    (75, 165, 11, "Spring"),
    (210, 165, 11, "A meeting room for six"),
    (210, 178, 11, "people, with a window"),
    (75, 205, 11, "Tide"),
    (210, 205, 11, "Another"),
]


def test_a_ruled_table_keeps_its_cells_whole_and_its_place() -> None:
    document = read([[(72, 60, 11, "Before the table."), *CELLS]], also=RULES)
    assert texts(document)[1] == (
        "table",
        (
            "| Name | What it is |\n| --- | --- |\n"
            "| Spring | A meeting room for six people, with a window |\n| Tide | Another |"
        ),
    )
    box = document.blocks[1].box
    assert box is not None
    assert math.isclose(box.left, 70, abs_tol=2)
    assert math.isclose(box.bottom, 842 - 600, abs_tol=2)


def test_a_table_of_contents_is_no_table() -> None:
    page = [
        (x, 100 + 20.0 * n, 11.0, text)
        for n, row in enumerate((("One ........", "3"), ("Two ........", "8")))
        for x, text in zip((72, 400), row, strict=True)
    ]
    assert {kind for kind, _ in texts(read([page]))} == {"paragraph"}


def test_the_two_engines_put_a_line_at_the_same_place() -> None:
    data = SAMPLE.read_bytes()
    quick, sure = (lines_of(data, quick=quick) for quick in (True, False))
    assert [words(text) for text, _ in quick] == [words(text) for text, _ in sure]
    for (_, one), (_, other) in zip(quick, sure, strict=True):
        assert all(abs(a - b) < 4 for a, b in zip(one, other, strict=True))


def words(text: str) -> str:
    return "".join(text.split())


def lines_of(data: bytes, *, quick: bool) -> list[tuple[str, tuple[float, ...]]]:
    import pypdfium2

    opened = pypdfium2.PdfDocument(data)
    try:
        layer = TextLayer(data, opened, None)
        assert layer.quick is not None
        page = layer._quick_page(0) if quick else layer._sure_page(0)
        assert page is not None
        return [
            (line.text, (line.left, line.top, line.right, line.bottom))
            for line in page.lines
            if not line.table and not line.stops
        ][:3]
    finally:
        opened.close()


UNSEEN = """
1 g BT /F 12 Tf 72 400 Td (White as the page) Tj ET
0 g BT /F 0.4 Tf 72 300 Td (As small as a speck of dust) Tj ET
BT 3 Tr /F 12 Tf 72 200 Td (Never painted) Tj ET
"""


@pytest.mark.parametrize("entries", ["", "/Rotate 180"], ids=["quick", "sure"])
def test_text_that_nobody_sees_is_left_out_and_its_pages_are_named(entries: str) -> None:
    page = [(72.0, 72.0, 11.0, "Words that are seen")]
    document = read([page, page], entries, also=UNSEEN)
    assert document.text == "Words that are seen\n\nWords that are seen"
    assert document.meta["pages_with_hidden_text"] == "1-2"


@pytest.mark.parametrize("entries", ["", "/Rotate 180"], ids=["quick", "sure"])
def test_white_text_on_a_dark_ground_is_read(entries: str) -> None:
    dark = "0 0 1 rg 60 380 300 40 re f\n1 g BT /F 12 Tf 72 400 Td (White on blue) Tj ET\n"
    document = read([[(72, 72, 11, "Words above it")]], entries, also=dark)
    assert "White on blue" in document.text
    assert "pages_with_hidden_text" not in document.meta


def test_white_text_on_a_white_ground_is_not_read() -> None:
    pale = "1 g 60 380 300 40 re f\nBT /F 12 Tf 72 400 Td (White on white) Tj ET\n"
    assert read([[(72, 72, 11, "Words above it")]], also=pale).text == "Words above it"


def test_text_behind_a_scan_is_read() -> None:
    words = "BT 3 Tr /F 12 Tf 72 400 Td (What the recogniser saw) Tj ET\n"
    layer = f"{words}q 595 0 0 842 0 0 cm /Im Do Q\n"
    data = pdf([[]], also=layer, objects=(IMAGE,))
    options = replace(DEFAULT_OPTIONS, ocr=False)
    assert PdfReader().read(data, "x.pdf", options).text == "What the recogniser saw"


def test_packed_contents_are_searched_for_unpainted_text_too() -> None:
    def packed(number: int, content: str) -> str:
        del number
        return zlib.compress(content.encode("latin-1")).decode("latin-1")

    page: list[Drawn] = [(72, 72, 11, "Words that are seen")]
    data = pdf([page], also=UNSEEN, coded="/Filter/FlateDecode", cipher=packed)
    assert PdfReader().read(data, "x.pdf").text == "Words that are seen"


def test_a_turned_page_has_boxes_as_it_is_shown() -> None:
    document = read([[(100, 300, 11, "Words on a page that lies on its side")]], "/Rotate 90")
    (block,) = document.blocks
    assert block.box is not None
    # Turned clockwise: what was 300 from the top is 842 - 311 from the left.
    assert math.isclose(block.box.left, 842 - 311, abs_tol=4)
    assert math.isclose(block.box.top, 100, abs_tol=4)


def test_a_panic_of_the_quick_engine_costs_nothing_and_a_key_press_goes_through() -> None:
    class PanicException(BaseException):
        """As a panic of Rust code looks from here."""

    def panic() -> int:
        raise PanicException

    def press() -> int:
        raise KeyboardInterrupt

    assert tried(panic) is None
    with pytest.raises(KeyboardInterrupt):
        tried(press)


PAD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")


def rc4(key: bytes, data: bytes) -> bytes:
    state, at = list(range(256)), 0
    for n in range(256):
        at = (at + state[n] + key[n % len(key)]) % 256
        state[n], state[at] = state[at], state[n]
    out, one, other = bytearray(), 0, 0
    for byte in data:
        one = (one + 1) % 256
        other = (other + state[one]) % 256
        state[one], state[other] = state[other], state[one]
        out.append(byte ^ state[(state[one] + state[other]) % 256])
    return bytes(out)


def encrypted(user: str, owner: str = "owner") -> bytes:
    """Write a file under two passwords. Source: PDF 1.7, 7.6, revision 2 (RC4 with 40 bits)."""

    def digest(data: bytes) -> bytes:
        return hashlib.md5(data).digest()  # noqa: S324  # as the format has it

    first, second = ((word.encode("latin-1") + PAD)[:32] for word in (user, owner))
    by_owner = rc4(digest(second)[:5], first)
    allowed = (-44).to_bytes(4, "little", signed=True)
    key = digest(first + by_owner + allowed + b"0123456789abcdef")[:5]

    def cipher(number: int, data: str) -> str:
        own = digest(key + number.to_bytes(3, "little") + b"\0\0")[:10]
        return rc4(own, data.encode("latin-1")).decode("latin-1")

    entries = (
        f"/Encrypt<</Filter/Standard/V 1/R 2/P -44/O<{by_owner.hex()}>/U<{rc4(key, PAD).hex()}>>>"
        f"/ID[<{b'0123456789abcdef'.hex()}><{b'0123456789abcdef'.hex()}>]"
    )
    return pdf([PAGE], cipher=cipher, trailer=entries)


@pytest.mark.parametrize("password", ["user", "owner", "mot de passe é", "   "])
def test_a_password_opens_among_others_that_do_not(password: str) -> None:
    data = encrypted("user" if password == "owner" else password)
    options = ReadOptions(passwords=("wrong", password))
    assert PdfReader().read(data, "x.pdf", options).title == "A Title"


def test_without_a_password_and_with_wrong_ones_the_errors_differ() -> None:
    data = encrypted("user")
    keys = []
    for passwords in ((), ("wrong", "\ud800")):
        with pytest.raises(ReadError) as caught:
            PdfReader().read(data, "x.pdf", ReadOptions(passwords=passwords))
        keys.append(caught.value.key)
    assert keys == ["read.encrypted", "read.password"]


def test_a_file_that_asks_for_no_password_to_be_read_is_read() -> None:
    assert PdfReader().read(encrypted(""), "x.pdf").title == "A Title"


def test_comments_and_what_was_filled_in_are_read() -> None:
    data = pdf(
        [PAGE],
        page_entries="/Annots[4 0 R 5 0 R 6 0 R]",
        catalog="/AcroForm<</Fields[5 0 R]/DA(/F 9 Tf)/DR<</Font<</F 3 0 R>>>>>>",
        objects=(
            "<</Type/Annot/Subtype/Text/Rect[300 700 320 720]/Contents(Please check this)>>",
            (
                "<</Type/Annot/Subtype/Widget/FT/Tx/T(applicant)/TU(Applicant)/V(Ada Lovelace)"
                "/Rect[100 100 200 120]>>"
            ),
            "<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/Contents(silent)>>",
        ),
    )
    document = PdfReader().read(data, "x.pdf")
    *_, comment, field = document.blocks
    assert document.text[comment.span.start :] == "Please check this\n\nApplicant: Ada Lovelace"
    assert (comment.page, field.page) == (1, 1)
    assert comment.box is not None
    assert math.isclose(comment.box.top, 842 - 720, abs_tol=1)


def test_an_embedded_file_becomes_a_section() -> None:
    data = pdf(
        [PAGE],
        catalog="/Names<</EmbeddedFiles<</Names[(a)4 0 R]>>>>",
        objects=(
            "<</Type/Filespec/F(notes.txt)/UF(notes.txt)/EF<</F 5 0 R>>>>",
            "<</Type/EmbeddedFile/Length 17>>stream\nTold in the file.\nendstream",
        ),
    )
    document = PdfReader().read(data, "x.pdf")
    assert texts(document)[-2:] == [("heading", "notes.txt"), ("paragraph", "Told in the file.")]


def test_the_outline_says_what_is_a_heading_and_of_what_level() -> None:
    page: list[Drawn] = [
        (72, 100, 11, "Scope"),
        (72, 130, 11, f"{BODY} line."),
        (72, 170, 11, "Who is meant"),
        (72, 200, 11, f"{BODY} other line."),
    ]
    data = pdf(
        [page],
        catalog="/Outlines 4 0 R",
        objects=(
            "<</First 5 0 R/Last 5 0 R>>",
            "<</Title(1. Scope)/Parent 4 0 R/First 6 0 R/Last 6 0 R/Dest[8 0 R/Fit]>>",
            "<</Title(Who is meant)/Parent 5 0 R/Dest[8 0 R/Fit]>>",
        ),
    )
    document = PdfReader().read(data, "x.pdf")
    assert document.blocks[-1].heading == ("Scope", "Who is meant")


def test_subject_and_keywords_are_kept() -> None:
    meta = read([PAGE], info="/Subject(Rooms)/Keywords(room, booking)").meta
    assert (meta["subject"], meta["keywords"]) == ("Rooms", "room, booking")


IMAGE = "<</Type/XObject/Subtype/Image/Width 2/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Length 2>>stream\n\x00\xff\nendstream"  # noqa: E501


class Eye:
    """Sees one line in the middle of every picture, and remembers the pictures' sizes."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def lines(self, image: NDArray[np.uint8]) -> list[Recognized]:
        self.seen.append(image.shape)
        high, wide, _ = image.shape
        return [
            Recognized(
                text=f"Seen {len(self.seen)}",
                left=wide * 0.25,
                right=wide * 0.75,
                top=high * 0.5,
                bottom=high * 0.5 + 30,
                score=0.9,
            )
        ]


@pytest.fixture
def eye(monkeypatch: pytest.MonkeyPatch) -> Eye:
    made = Eye()
    monkeypatch.setattr(ocr, "recognizer_for", lambda options: made if options.ocr else None)
    return made


def scan(pages: list[list[Drawn]], place: str) -> bytes:
    return pdf(pages, also=f"q {place} cm /Im Do Q\n", objects=(IMAGE,))


def test_a_page_without_text_is_recognised_and_its_lines_have_boxes(eye: Eye) -> None:
    signs: list[int] = []
    options = replace(DEFAULT_OPTIONS, alive=lambda: signs.append(1))
    document = PdfReader().read(scan([[], []], "595 0 0 842 0 0"), "x.pdf", options)
    assert document.text == "Seen 1\n\nSeen 2"
    assert document.meta["pages_recognized"] == "1-2"
    assert len(signs) >= 2
    box = document.blocks[0].box
    assert box is not None
    assert math.isclose(box.left, 595 / 4, abs_tol=1)
    assert math.isclose(box.top, 842 / 2, abs_tol=1)


def test_a_scan_with_no_more_than_a_page_number_is_recognised(eye: Eye) -> None:
    data = scan([[(290, 800, 9, "17")]], "595 0 0 842 0 0")
    assert "Seen 1" in PdfReader().read(data, "x.pdf").text


def test_a_picture_among_text_is_recognised_by_itself_and_only_once(eye: Eye) -> None:
    above: list[Drawn] = [(72, 72 + 14.0 * n, 11, f"{BODY} line {n}") for n in range(9)]
    data = scan([above, above], "300 0 0 150 100 300")
    document = PdfReader().read(data, "x.pdf")
    assert document.text.count("Seen") == 1
    assert len(eye.seen) == 1
    assert math.isclose(eye.seen[0][1] / eye.seen[0][0], 2, abs_tol=0.05)


def test_a_page_of_text_and_an_empty_page_are_not_recognised(eye: Eye) -> None:
    document = PdfReader().read(pdf([PAGE, []]), "x.pdf")
    assert not eye.seen
    assert document.meta["pages_without_text"] == "2"
    assert "pages_recognized" not in document.meta


def test_no_page_is_recognised_where_that_is_switched_off(eye: Eye) -> None:
    with pytest.raises(ReadError) as caught:
        PdfReader().read(scan([[]], "595 0 0 842 0 0"), "x.pdf", ReadOptions(ocr=False))
    assert caught.value.key == "read.no_text"
    assert not eye.seen


def test_text_at_infinity_and_broken_names_cost_nothing() -> None:
    far = "BT /F 11 Tf 1e38 0 0 1e38 1e38 1e38 Tm (Far away) Tj ET\n"
    document = read([PAGE], info="/Title<FEFFD83D0041>/Author(Ada)", also=far)
    assert "Other words that are no part of it." in document.text
    assert document.meta["author"] == "Ada"
