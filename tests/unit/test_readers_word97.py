"""Word documents of the binary format, written here by its specification ([MS-DOC])."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions
from wenqu.readers import default_readers
from wenqu.readers.office.word97 import Word97Reader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import blocks, texts
from wenqu.types import BlockKind, Document

FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
TEXT_AT = 0x800
IN_TABLE, ROW_END = (0x2416, 1), (0x2417, 1)
BULLET, ARABIC, CHINESE = 23, 0, 37


def ole(streams: dict[str, bytes]) -> bytes:
    """Return an OLE file; streams are padded so that none is in the small sectors."""
    padded = {name: data.ljust(4096, b"\0") for name, data in streams.items()}
    padded = {name: data + bytes(-len(data) % 512) for name, data in padded.items()}
    sectors = sum(len(data) // 512 for data in padded.values())
    directory_sectors = -(-(len(padded) + 1) // 4)
    fat = [FAT]
    fat += [*range(2, directory_sectors + 1), END]
    entries = [entry("Root Entry", 5, 1, END, 0)]
    at = 1 + directory_sectors
    body = b""
    for number, (name, data) in enumerate(padded.items(), start=1):
        count = len(data) // 512
        entries.append(
            entry(name, 2, FREE, at, len(data), number + 1 if number < len(padded) else FREE)
        )
        fat += [*range(at + 1, at + count), END]
        at += count
        body += data
    assert sectors + directory_sectors + 1 <= 128, "one sector of FAT"
    table = struct.pack("<128I", *(fat + [FREE] * (128 - len(fat))))
    directory = b"".join(entries).ljust(directory_sectors * 512, b"\0")
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16)
    header += struct.pack(
        "<HHHHH6xIIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, END, 0, END, 0, 0
    )
    return header + struct.pack("<108I", *[FREE] * 108) + table + directory + body


def entry(name: str, kind: int, child: int, start: int, size: int, right: int = FREE) -> bytes:
    raw = (name + "\0").encode("utf-16-le")
    return (
        raw.ljust(64, b"\0") + struct.pack("<HBBIII", len(raw), kind, 1, FREE, right, child)
        + bytes(36) + struct.pack("<IQ", start, size)
    )  # fmt: skip


@dataclass
class P:
    """A paragraph: its text, what ends it, its style, and modifiers of opcode and operand."""

    text: str
    style: int = 0
    modifiers: tuple[tuple[int, int | bytes], ...] = ()
    end: str = "\r"
    hidden: bool = False


def modifier(opcode: int, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return struct.pack("<HH", opcode, len(value) + 1) + value
    size = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2}[opcode >> 13]
    return struct.pack("<H", opcode) + value.to_bytes(size, "little")


def style(name: str, built_in: int, base: int = 0xFFF, paragraph: bytes = b"") -> bytes:
    std = struct.pack("<HHHHH", built_in, 1 | base << 4, 2, 0, 0)
    raw = name.encode("utf-16-le")
    std += struct.pack("<H", len(name)) + raw + b"\0\0"
    upx = struct.pack("<H", 0) + paragraph
    std += struct.pack("<H", len(upx)) + upx + bytes(len(upx) & 1) + struct.pack("<H", 0)
    return struct.pack("<H", len(std)) + std + bytes(len(std) & 1)


def style_sheet(*styles: bytes) -> bytes:
    return struct.pack("<HHH14x", 18, len(styles), 10) + b"".join(styles)


STYLES = style_sheet(
    style("Normal", 0),
    style("heading 1", 1, 0),
    style("Überschrift 2", 2, 0),
    style("标题 3", 4094, 0),
    style("mine", 4094, 0, modifier(0x2640, 1)),
)


def list_level(form: int, text: str, start: int = 1) -> bytes:
    raw = text.encode("utf-16-le")
    return (
        struct.pack("<iBB", start, form, 0) + bytes(22) + struct.pack("<H", len(text)) + raw
    )  # fmt: skip


def lists(*levels: bytes) -> tuple[bytes, bytes]:
    nine = [*levels, *[list_level(255, "")] * (9 - len(levels))]
    definition = struct.pack("<hii18xBB", 1, 77, 0, 0, 0)
    overrides = struct.pack("<Ii8xB3xI", 1, 77, 0, 0xFFFFFFFF)
    return definition + b"".join(nine), overrides


def doc(*paragraphs: P, numbering: tuple[bytes, bytes] | None = None, note: str = "", cut: int = 0,
        flags: int = 0x0200) -> bytes:  # fmt: skip
    """Return a document of one piece of UTF-16 text with its paragraph and character properties."""
    text, limits, papx, chpx = "", [TEXT_AT], [], []
    for each in paragraphs:
        text += each.text + each.end
        limits.append(TEXT_AT + 2 * len(text))
        papx.append(struct.pack("<H", each.style) + b"".join(modifier(*m) for m in each.modifiers))
        chpx.append(modifier(0x083C, 1) if each.hidden else b"")
    main = len(text)
    if note:
        text += note + "\r"
        limits.append(TEXT_AT + 2 * len(text))
        papx.append(struct.pack("<H", 0))
        chpx.append(b"")
    raw = text.encode("utf-16-le")
    page = -(-(TEXT_AT + len(raw)) // 512)
    stream = bytearray((page + 2) * 512)
    stream[TEXT_AT : TEXT_AT + len(raw)] = raw
    stream[page * 512 : (page + 1) * 512] = properties_page(limits, papx, 13)
    stream[(page + 1) * 512 :] = properties_page(limits, chpx, 1)
    parts = {
        33: b"\x02" + struct.pack("<I", 16) + struct.pack("<IIHIH", 0, len(text), 0, TEXT_AT, 0),
        13: struct.pack("<III", TEXT_AT, limits[-1], page),
        12: struct.pack("<III", TEXT_AT, limits[-1], page + 1),
        1: STYLES,
    }
    if note:
        parts[2] = struct.pack("<IIH", text.index("\x02"), main, 1)
        parts[3] = struct.pack("<III", 0, len(note) + 1, len(note) + 2)
    table = b"".join(number_parts(parts, stream))
    if numbering:
        for number, data in ((73, numbering[0]), (74, numbering[1])):
            # The levels follow the list of lists, and are not counted in its length.
            struct.pack_into(
                "<II", stream, 0x9A + 8 * number, len(table), 30 if number == 73 else len(data)
            )
            table += data
    struct.pack_into("<HH", stream, 0, 0xA5EC, 0xC1)
    struct.pack_into("<H", stream, 10, flags)
    struct.pack_into("<II", stream, 0x4C, main, len(text) - main)
    return ole({"WordDocument": bytes(stream)[: -cut or None], "1Table": table})


def number_parts(parts: dict[int, bytes], stream: bytearray) -> list[bytes]:
    at = 0
    for number, data in parts.items():
        struct.pack_into("<II", stream, 0x9A + 8 * number, at, len(data))
        at += len(data)
    return list(parts.values())


def properties_page(limits: list[int], entries: list[bytes], step: int) -> bytes:
    page = bytearray(512)
    struct.pack_into(f"<{len(limits)}I", page, 0, *limits)
    at = 510
    for number, data in enumerate(entries):
        if step == 1:
            block = bytes([len(data)]) + data if data else b""
        elif len(data) % 2:
            block = bytes([(len(data) + 1) // 2]) + data
        else:
            block = bytes([0, len(data) // 2]) + data
        at = (at - len(block)) & ~1
        page[at : at + len(block)] = block
        page[4 * len(limits) + step * number] = at // 2 if block else 0
    assert at >= 4 * len(limits) + step * len(entries), "one page of properties"
    page[511] = len(entries)
    return bytes(page)


def row(*cells: str, merged: tuple[int, ...] = ()) -> list[P]:
    """Return the paragraphs of a table row: cells, then the mark of its end with its definition."""
    inner = [P(text, 0, (IN_TABLE,), "\x07") for text in cells]
    if not merged:
        return [*inner, P("", 0, (IN_TABLE, ROW_END), "\x07")]
    edges = struct.pack(f"<B{len(cells) + 1}h", len(cells), *range(len(cells) + 1))
    definition = edges + b"".join(struct.pack("<H18x", flag) for flag in merged)
    return [*inner, P("", 0, (IN_TABLE, ROW_END, (0xD608, definition)), "\x07")]


def read(data: bytes) -> Document:
    return Word97Reader(default_readers).read(data, "x.doc")


class TestWord97Reader(ReaderContract):
    def reader(self) -> Word97Reader:
        return Word97Reader(default_readers)

    def samples(self) -> dict[str, bytes]:
        return {
            "通知.doc": doc(P("总则", 1), P("各部门按时报名。")),
            "memo.doc": doc(P("Hello."), *row("a", "b"), *row("1", "2"), P("End.")),
        }

    def container(self, name: str) -> str:
        return "doc"


def test_headings_come_from_built_in_styles_outline_levels_and_names() -> None:
    document = read(
        doc(
            P("一", 1),
            P("二", 2),
            P("三", 3),
            P("文。"),
            P("甲", 4),
            P("乙", 0, ((0x2640, 2),)),
            P("末。"),
        )
    )
    paths = [b.heading for b in document.blocks if b.kind is BlockKind.PARAGRAPH]
    assert paths == [("一", "二", "三"), ("一", "甲", "乙")]


def test_generated_numbers_of_articles_are_kept() -> None:
    numbering = lists(list_level(CHINESE, "第\x00条"), list_level(ARABIC, "\x00.\x01"))
    first, second = ((0x460B, 1),), ((0x260A, 1), (0x460B, 1))
    data = doc(P("甲。", 0, first), P("乙。", 0, first), P("丙", 0, second), numbering=numbering)
    assert texts(read(data)) == ["第一条 甲。", "第二条 乙。", "二.1 丙"]


def test_bullets_are_lists() -> None:
    numbering = lists(list_level(BULLET, "\uf0b7"))
    data = doc(P("a", 0, ((0x460B, 1),)), P("b", 0, ((0x460B, 1),)), numbering=numbering)
    assert blocks(read(data)) == [(BlockKind.LIST, "- a\n- b")]


def test_tables_become_markdown() -> None:
    data = doc(P("前。"), *row("姓名", "岁数"), *row("张三", "30"), P("后。"))
    assert texts(read(data)) == ["前。", "| 姓名 | 岁数 |\n| --- | --- |\n| 张三 | 30 |", "后。"]


def test_merged_cells_say_their_text_in_each_row() -> None:
    begins, goes_on, across = 0x60, 0x20, 0x02
    down = doc(
        *row("部门", "姓名"),
        *row("人事", "张三", merged=(begins, 0)),
        *row("", "李四", merged=(goes_on, 0)),
    )
    assert texts(read(down))[0].split("\n")[2:] == ["| 人事 | 张三 |", "| 人事 | 李四 |"]
    wide = doc(*row("部门", "姓名", "电话"), *row("合计", "两人", "", merged=(0, 1, across)))
    assert texts(read(wide))[0].split("\n")[2:] == ["| 合计 | 两人 | 两人 |"]


def test_fields_show_their_results_and_links_name_their_address() -> None:
    link = '\x13 HYPERLINK "https://a.cn/x" \x14办法\x15'
    text = f"见{link}，第\x13 PAGE \x143\x15页，\x13 DATE \x142024年\x15。"
    assert texts(read(doc(P(text)))) == ["见办法 (https://a.cn/x)，第页，2024年。"]


def test_hidden_paragraphs_are_dropped() -> None:
    assert texts(read(doc(P("Seen."), P("Hidden.", hidden=True), P("End.")))) == ["Seen.", "End."]


def test_a_footnote_follows_the_paragraph_it_hangs_on() -> None:
    data = doc(P("据统计\x02。"), P("下文。"), note="\x02 见年鉴。")
    assert texts(read(data)) == ["据统计[^1]。", "[^1]: 见年鉴。", "下文。"]


def test_text_boxes_in_headers_stand_where_headers_do() -> None:
    data = bytearray(doc(P("正文。"), P("内部资料")))
    at = data.index(struct.pack("<II", 9, 0))  # the lengths of the stories: all is main text
    struct.pack_into("<8i", data, at, 4, 0, 0, 0, 0, 0, 0, 5)
    assert texts(read(bytes(data))) == ["内部资料", "正文。"]


def test_a_piece_table_that_counts_more_characters_than_the_file_has_bytes_is_cut_short() -> None:
    data = bytearray(doc(P("正文。")))
    at = data.index(struct.pack("<IIHIH", 0, 4, 0, TEXT_AT, 0))
    struct.pack_into("<I", data, at + 4, 0xF0000000)
    assert texts(read(bytes(data))) == ["正文。"]


def test_line_ends_hyphens_and_pictures_are_what_they_show() -> None:
    assert texts(read(doc(P("a\x0bb\x1ec\x1fd\x01e")))) == ["a\nb‑cde"]


def test_characters_beyond_the_basic_plane_are_whole() -> None:
    assert texts(read(doc(P("𠮷野家")))) == ["𠮷野家"]


@pytest.mark.parametrize(
    ("text", "language", "encoding"),
    [("关于放假的通知", 0x0804, "gb18030"), ("Café", 0x0409, "cp1252")],
)
def test_the_text_of_word_95_is_in_the_encoding_of_its_language(
    text: str, language: int, encoding: str
) -> None:
    raw = text.encode(encoding) + b"\r"
    stream = bytearray(0x400) + raw
    struct.pack_into("<HHHH", stream, 0, 0xA5DC, 101, 0, language)
    struct.pack_into("<II", stream, 24, 0x400, 0x400 + len(raw))
    struct.pack_into("<I", stream, 0x34, len(raw))
    assert texts(read(ole({"WordDocument": bytes(stream)}))) == [text]


@pytest.mark.parametrize(
    "data",
    [
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000),
        ole({"WordDocument": b"nothing of the kind"}),
        ole({"WordDocument": struct.pack("<HH", 0xA5EC, 0xC1).ljust(2000, b"\xff")}),
    ],
    ids=["no directory", "no document", "nonsense"],
)
def test_a_damaged_document_says_so(data: bytes) -> None:
    with pytest.raises(ReadError) as caught:
        read(data)
    assert caught.value.key in {"read.damaged", "read.encrypted", "read.unsupported"}


def test_an_encrypted_document_asks_for_a_password() -> None:
    data = doc(P("text"), flags=0x0300)
    with pytest.raises(ReadError) as caught:
        read(data)
    assert caught.value.key in {"read.encrypted", "read.unsupported"}


def test_too_much_text_is_refused() -> None:
    with pytest.raises(ReadError) as caught:
        Word97Reader(default_readers).read(doc(P("a" * 500)), "x", ReadOptions(max_characters=100))
    assert caught.value.key == "read.too_long"
