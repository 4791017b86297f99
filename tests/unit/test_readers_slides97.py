"""Presentations of PowerPoint 97–2003, written record by record."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.readers.markup.html import HtmlReader
from wenqu.readers.office.slides97 import OldSlidesReader
from wenqu.testing.compound import compound
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import texts
from wenqu.types import BlockKind, Document

if TYPE_CHECKING:
    from wenqu.protocols import Reader

TITLE, BODY, NOTES, OTHER = 0, 1, 2, 4
TITLE_PLACE, FOOTER_PLACE, NUMBER_PLACE = 13, 9, 8


def record(kind: int, *content: bytes, instance: int = 0, container: bool = True) -> bytes:
    data = b"".join(content)
    first = instance << 4 | (0xF if container else 0)
    return struct.pack("<HHI", first, kind, len(data)) + data


def atom(kind: int, *content: bytes, instance: int = 0) -> bytes:
    return record(kind, *content, instance=instance, container=False)


def text(role: int, words: str, levels: tuple[int, ...] = ()) -> bytes:
    """Write a text with its role; ``levels`` are of its paragraphs."""
    if words.isascii():
        said = atom(0x0FA8, words.encode("ascii"))
    else:
        said = atom(0x0FA0, words.encode("utf-16-le"))
    runs = b"".join(
        # A bullet, which a mask announces, then its flags.
        struct.pack("<IHIH", len(line) + 1, level, 0x1, 0x1)
        for line, level in zip(words.split("\r"), levels, strict=False)
    )
    style = atom(0x0FA1, runs) if runs else b""
    return atom(0x0F9F, struct.pack("<I", role)) + said + style


def shape(
    role: int,
    words: str,
    top: int = 0,
    left: int = 0,
    place: int | None = None,
    **more: tuple[int, ...],
) -> bytes:
    filled = b"" if place is None else atom(0x0BC3, struct.pack("<IBBH", 0, place, 0, 0))
    return record(
        0xF004,
        atom(0xF00A, struct.pack("<II", 1, 0)),
        atom(0xF010, struct.pack("<4h", top, left, left + 100, top + 100)),
        record(0xF011, filled),
        record(0xF00D, text(role, words, **more)),
    )


def drawing(*shapes: bytes) -> bytes:
    whole = record(0xF004, atom(0xF00A, struct.pack("<II", 0, 0)))
    return record(0x040C, record(0xF002, record(0xF003, whole, *shapes)))


def slide(*shapes: bytes, master: int = 0, notes: int = 0, extra: bytes = b"") -> bytes:
    about = atom(0x03EF, struct.pack("<I8xII4x", 0, master, notes))
    return record(0x03EE, about, drawing(*shapes), extra)


def listed(instance: int, *entries: tuple[int, int]) -> bytes:
    """Write a list of slides: the reference of each, and its number."""
    atoms = (atom(0x03F3, struct.pack("<IIIII", ref, 0, 0, number, 0)) for ref, number in entries)
    return record(0x0FF0, *atoms, instance=instance)


def presentation(
    *slides: bytes,
    others: dict[int, bytes] | None = None,
    lists: bytes = b"",
    damaged: bool = False,
) -> bytes:
    """Write a file; ``others`` are further objects by reference, from 100."""
    order = listed(0, *((at, 255 + at) for at in range(2, 2 + len(slides))))
    objects = {1: record(0x03E8, lists, order)}
    objects |= dict(enumerate(slides, 2)) | (others or {})
    stream, directory = b"", b""
    for reference, content in objects.items():
        directory += struct.pack("<II", reference | 1 << 20, len(stream))
        stream += content
    places = len(stream)
    stream += atom(0x1772, directory)
    edit = len(stream)
    stream += atom(0x0FF5, struct.pack("<IIIIII4x", 0, 0, 0, places, 1, 0))
    user = atom(0x0FF6, struct.pack("<III", 0x14, 0xE391C05F, 0x7FFFFFFF if damaged else edit))
    return compound({"Current User": user, "PowerPoint Document": stream.ljust(4096, b"\0")})


def read(data: bytes) -> Document:
    return OldSlidesReader().read(data, "deck.ppt")


class TestOldSlidesReader(ReaderContract):
    def reader(self) -> OldSlidesReader:
        return OldSlidesReader()

    def container(self, name: str) -> str:
        return "ppt" if name.endswith(".ppt") else ""

    def samples(self) -> dict[str, bytes]:
        return {
            "年度总结.ppt": presentation(
                slide(shape(TITLE, "年度总结"), shape(OTHER, "收入增长", 300))
            ),
            "review.ppt": presentation(
                slide(shape(TITLE, "Review")), slide(shape(OTHER, "Thanks"))
            ),
        }


def test_a_slide_is_a_page_with_its_title_and_its_shapes_in_order() -> None:
    document = read(
        presentation(
            slide(
                shape(OTHER, "right", 300, 500), shape(OTHER, "left", 300), shape(TITLE, "Goals")
            ),
            slide(shape(TITLE, "目标")),
        )
    )
    assert [(block.kind, block.page) for block in document.blocks] == [
        (BlockKind.HEADING, 1),
        (BlockKind.PARAGRAPH, 1),
        (BlockKind.PARAGRAPH, 1),
        (BlockKind.HEADING, 2),
    ]
    assert texts(document) == ["Goals", "left", "right", "目标"]
    assert document.meta["slides"] == "2"


def test_points_keep_their_levels_and_line_breaks() -> None:
    body = shape(BODY, "first\rinner\vline\rlast", 300, levels=(0, 1, 0))
    document = read(presentation(slide(shape(TITLE, "T"), body)))
    assert texts(document)[1] == "- first\n  - inner\n    line\n- last"
    assert document.blocks[1].kind is BlockKind.LIST


def test_text_that_stands_in_the_outline_is_found_from_its_slide() -> None:
    outline = record(
        0x0FF0,
        atom(0x03F3, struct.pack("<IIIII", 2, 0, 0, 256, 0)),
        text(TITLE, "From the outline"),
        text(BODY, "a point"),
    )
    frames = (
        record(0xF004, atom(0xF00A, bytes(8)), record(0xF00D, atom(0x0F9E, struct.pack("<I", at))))
        for at in (1, 0)
    )
    stream = record(0x03E8, outline)
    places = struct.pack("<II", 1 | 1 << 20, 0) + struct.pack("<II", 2 | 1 << 20, len(stream))
    stream += slide(*frames)
    directory = len(stream)
    stream += atom(0x1772, places)
    user = atom(0x0FF6, struct.pack("<III", 0x14, 0xE391C05F, len(stream)))
    stream += atom(0x0FF5, struct.pack("<IIIIII4x", 0, 0, 0, directory, 1, 0))
    data = compound({"Current User": user, "PowerPoint Document": stream})
    assert texts(read(data)) == ["From the outline", "a point"]


def test_notes_comments_and_what_the_master_shows_follow_the_slide() -> None:
    notes = record(0x03F0, drawing(shape(NOTES, "要点：控制成本"), shape(OTHER, "页眉")))
    master = record(
        0x03F8, drawing(shape(TITLE, "Click to edit", place=1), shape(OTHER, "ACME Ltd", 900))
    )
    said = atom(0x0FBA, "请补充数据".encode("utf-16-le"), instance=1)
    comment = record(0x1388, record(0x138A, atom(0x138B, record(0x2EE0, said))))
    first = slide(shape(TITLE, "成本"), master=1000, notes=2000, extra=comment)
    data = presentation(
        first,
        slide(shape(TITLE, "收入"), master=1000),
        others={100: notes, 101: master},
        lists=listed(1, (101, 1000)) + listed(2, (100, 2000)),
    )
    assert texts(read(data)) == ["成本", "ACME Ltd", "要点：控制成本", "请补充数据", "收入"]


def test_footers_are_said_once_and_slide_numbers_not_at_all() -> None:
    footer = record(0x0FD9, atom(0x0FBA, "机密".encode("utf-16-le"), instance=2))
    shapes = (
        shape(OTHER, "机密", 900, place=FOOTER_PLACE),
        shape(OTHER, "*", 900, place=NUMBER_PLACE),
    )
    data = presentation(
        slide(shape(TITLE, "A"), *shapes, extra=footer),
        slide(shape(TITLE, "B"), *shapes, extra=footer),
    )
    assert texts(read(data)) == ["A", "机密", "B"]


def test_a_table_of_shapes_is_a_table() -> None:
    mark = atom(0xF122, struct.pack("<HI", 0x039F, 1), instance=1)
    place = atom(0xF010, struct.pack("<4h", 300, 0, 400, 400))
    head = record(0xF004, atom(0xF00A, bytes(8)), place, mark)

    def cell(words: str, top: int, left: int) -> bytes:
        anchor = atom(0xF00F, struct.pack("<4i", left, top, left + 9, top + 9))
        return record(0xF004, atom(0xF00A, bytes(8)), anchor, record(0xF00D, text(OTHER, words)))

    cells = (cell("财务部", 20, 50), cell("姓名", 0, 0), cell("部门", 0, 50), cell("张三", 20, 0))
    document = read(presentation(slide(shape(TITLE, "人员"), record(0xF003, head, *cells))))
    assert texts(document)[1] == "| 姓名 | 部门 |\n| --- | --- |\n| 张三 | 财务部 |"


def test_an_embedded_file_becomes_a_section() -> None:
    def readers() -> tuple[Reader, ...]:
        return (HtmlReader(),)

    page = "<html><body><p>操作说明</p></body></html>".encode()
    packed = zlib.compress(compound({"CONTENTS": page}))
    storage = atom(0x1011, struct.pack("<I", 4096) + packed, instance=1)
    embedded = record(
        0x0409,
        record(
            0x0FCC,
            atom(0x0FC3, struct.pack("<IIIIII", 1, 0, 0, 0, 100, 0)),
            atom(0x0FBA, "Web Page".encode("utf-16-le"), instance=1),
        ),
    )
    data = presentation(slide(shape(TITLE, "附件")), others={100: storage}, lists=embedded)
    document = OldSlidesReader(readers).read(data, "deck.ppt")
    assert document.blocks[-1].heading == ("Web Page",)
    assert document.text.endswith("操作说明")


def test_slides_are_found_when_the_last_save_is_not_where_it_should_be() -> None:
    data = presentation(slide(shape(TITLE, "One")), slide(shape(TITLE, "Two")), damaged=True)
    assert texts(read(data)) == ["One", "Two"]


def test_slides_that_nothing_leads_to_are_read_as_they_come() -> None:
    stream = slide(shape(TITLE, "One")) + slide(shape(TITLE, "Two"))
    data = compound({"Current User": bytes(32), "PowerPoint Document": stream})
    assert texts(read(data)) == ["One", "Two"]


def test_what_holds_no_presentation_is_damaged() -> None:
    with pytest.raises(ReadError) as caught:
        read(compound({"Current User": bytes(64), "PowerPoint Document": bytes(5000)}))
    assert caught.value.key == "read.damaged"


def test_directories_that_lead_in_circles_end() -> None:
    stream = record(0x03E8, listed(0))
    edit = len(stream)
    stream += atom(0x0FF5, struct.pack("<IIIIII4x", 0, 0, edit, 0, 1, 0))
    user = atom(0x0FF6, struct.pack("<III", 0x14, 0xE391C05F, edit))
    with pytest.raises(ReadError):
        read(compound({"Current User": user, "PowerPoint Document": stream}))


def properties(values: dict[int, bytes], *, count: int | None = None) -> bytes:
    """Write what a file says of itself: typed values by number."""
    places, body = b"", b""
    for number, value in values.items():
        places += struct.pack("<II", number, 8 + 8 * len(values) + len(body))
        body += value.ljust(-(-len(value) // 4) * 4, b"\0")
    section = struct.pack("<II", 8 + len(places) + len(body), count or len(values)) + places + body
    return struct.pack("<HHI16xI16xI", 0xFFFE, 0, 2, 1, 48) + section


def said_of_itself(title: str, **more: int) -> bytes:
    words = title.encode("gb18030")
    values = {
        1: struct.pack("<IH", 2, 936),
        2: struct.pack("<II", 30, len(words) + 1) + words + b"\0",
        13: struct.pack("<IQ", 64, 133_000_000_000_000_000),
    }
    return properties(values, **more)


@pytest.mark.parametrize("count", [3, 0xFFFFFFFF])
def test_properties_are_title_and_date_also_where_their_number_is_a_lie(count: int) -> None:
    stream = slide(shape(TITLE, "One"))
    parts = {"\x05SummaryInformation": said_of_itself("年度总结", count=count)}
    document = read(compound(parts | {"PowerPoint Document": stream}))
    assert document.title == "年度总结"
    assert document.meta["date"].startswith("2022-06-")


def test_a_title_that_powerpoint_made_up_is_none() -> None:
    parts = {"\x05SummaryInformation": said_of_itself("幻灯片 1")}
    document = read(compound(parts | {"PowerPoint Document": slide(shape(TITLE, "目标"))}))
    assert document.title == "目标"
