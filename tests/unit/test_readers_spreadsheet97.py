"""Workbooks of Excel 97–2003, written record by record, and binary ones of today."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import Reader, Sample
from wenqu.readers.markup.html import HtmlReader
from wenqu.readers.office.spreadsheet97 import BinarySpreadsheetReader, OldSpreadsheetReader
from wenqu.testing.compound import compound
from wenqu.testing.contracts_reader import ReaderContract

Cell = str | float | bool | tuple[float, int] | None


def record(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def string(text: str, size: str = "<H") -> bytes:
    """Write a string with its length in characters, two bytes each."""
    return struct.pack(size, len(text)) + b"\x01" + text.encode("utf-16-le")


def cell(row: int, column: int, value: Cell) -> bytes:
    style = 0
    if isinstance(value, tuple):
        value, style = value
    place = struct.pack("<HHH", row, column, style)
    if isinstance(value, bool):
        return record(0x0205, place + bytes([value, 0]))
    if isinstance(value, str):
        return record(0x0204, place + string(value))
    return record(0x0203, place + struct.pack("<d", value)) if value is not None else b""


def sheet(rows: list[list[Cell]], after: bytes = b"") -> bytes:
    cells = b"".join(
        cell(row, column, value)
        for row, values in enumerate(rows)
        for column, value in enumerate(values)
    )
    size = struct.pack("<IIHHH", 0, len(rows), 0, max(map(len, rows), default=0), 0)
    begin = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
    return begin + record(0x0200, size) + cells + after + record(0x000A)


def stream(sheets: dict[str, bytes], formats: tuple[str, ...] = ()) -> bytes:
    """Write a workbook's stream: what is common to all, where each sheet begins, the sheets."""
    font = record(
        0x0031, struct.pack("<HHHHHBBBB", 200, 0, 0x7FFF, 400, 0, 0, 0, 0, 0) + b"\x05\0Arial"
    )
    codes = b"".join(
        record(0x041E, struct.pack("<H", 164 + at) + string(code))
        for at, code in enumerate(formats)
    )
    numbers = [0, *(164 + at for at in range(len(formats)))]
    styles = b"".join(record(0x00E0, struct.pack("<HHH14x", 0, number, 0)) for number in numbers)
    head = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    head += record(0x0042, struct.pack("<H", 1200)) + font * 4 + codes + styles
    names = {name: string(name, "<B") for name in sheets}
    at = len(head) + sum(10 + len(name) for name in names.values()) + 4
    for name, content in sheets.items():
        head += record(0x0085, struct.pack("<IBB", at, 0, 0) + names[name])
        at += len(content)
    return head + record(0x000A) + b"".join(sheets.values())


def workbook(
    sheets: dict[str, bytes],
    formats: tuple[str, ...] = (),
    *,
    name: str = "Workbook",
    **more: bytes,
) -> bytes:
    # Padded, so that it is stored as large streams are.
    whole = stream(sheets, formats).ljust(4096, b"\0")
    return compound({name: whole} | {path.replace("__", "/"): data for path, data in more.items()})


def text_of(data: bytes) -> str:
    return OldSpreadsheetReader().read(data, "book.xls").text


class TestOldSpreadsheetReader(ReaderContract):
    def reader(self) -> OldSpreadsheetReader:
        return OldSpreadsheetReader()

    def container(self, name: str) -> str:
        return "xls" if name.endswith(".xls") else ""

    def samples(self) -> dict[str, bytes]:
        return {
            "会议室.xls": workbook(
                {"会议室": sheet([["名称", "座位"], ["听泉", 6], ["观澜", 24]])}
            ),
            "rooms.xls": workbook({"rooms": sheet([["name", "seats"], ["spring", 6]])}),
        }


def test_each_sheet_is_a_section_with_its_table() -> None:
    data = workbook(
        {
            "收入": sheet([["月份", "金额"], ["一月", 10]]),
            "空": sheet([]),
            "支出": sheet([["月份", "金额"], ["一月", 7]]),
        }
    )
    assert text_of(data) == (
        "收入\n\n| 月份 | 金额 |\n| --- | --- |\n| 一月 | 10 |\n\n"
        "支出\n\n| 月份 | 金额 |\n| --- | --- |\n| 一月 | 7 |"
    )


def test_cells_show_numbers_and_dates_through_their_formats() -> None:
    rows: list[list[Cell]] = [
        ["项目", "占比", "日期", "完成"],
        ["甲", (0.256, 1), (43363.0, 2), True],
    ]
    data = workbook({"表": sheet(rows)}, ("0.0%", 'yyyy"年"m"月"d"日"'))
    assert "| 甲 | 25.6% | 2018年9月20日 | TRUE |" in text_of(data)


def test_a_cell_merged_over_rows_is_said_in_each_of_them() -> None:
    merged = record(0x00E5, struct.pack("<HHHHH", 1, 1, 2, 0, 0))
    data = workbook({"表": sheet([["部门", "姓名"], ["财务部", "张三"], [None, "李四"]], merged)})
    assert "| 财务部 | 李四 |" in text_of(data)


def test_texts_in_boxes_are_read() -> None:
    said = "请于月底前填报"
    shape = record(0x005D, struct.pack("<HHHHH12xHH", 0x15, 0x12, 6, 1, 0, 0, 0))
    box = shape + record(0x01B6, struct.pack("<HH6xHHI", 0, 0, len(said), 0, 0))
    box += record(0x003C, b"\x01" + said.encode("utf-16-le"))
    data = workbook({"表": sheet([["a", "b"], [1, 2]], box)})
    assert text_of(data).endswith("| 1 | 2 |\n\n" + said)


def test_what_is_printed_above_and_below_sheets_is_told_once() -> None:
    header = record(0x0014, string('&L&"Arial,粗体"某某公司&C第 &P 页'))
    footer = record(0x0015, struct.pack("<HB", 8, 0) + b"&RAuthor")
    chart = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0020, 0, 0, 0, 0))
    chart += record(0x0014, string("图表的页眉")) + record(0x000A)
    rows: list[list[Cell]] = [["a", "b"], [1, 2]]
    sheets = {"一": sheet(rows, header + footer + chart), "二": sheet(rows, header + footer)}
    table = "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert text_of(workbook(sheets)) == f"一\n\n某某公司\n\n{table}\n\nAuthor\n\n二\n\n{table}"


def test_a_header_from_before_excel_97_is_in_the_encoding_of_its_workbook() -> None:
    head = record(0x0809, struct.pack("<HHHH", 0x0500, 0x0005, 0, 0))
    head += record(0x0042, struct.pack("<H", 936))
    text = "年度预算".encode("gb18030")
    cells = record(0x0204, struct.pack("<HHHH", 0, 0, 0, 1) + b"a")
    inner = record(0x0809, struct.pack("<HHHH", 0x0500, 0x0010, 0, 0)) + cells
    inner += record(0x0014, bytes([len(text) + 2]) + b"&C" + text) + record(0x000A)
    at = len(head) + 12 + 4  # behind the name of the sheet and the end
    head += record(0x0085, struct.pack("<IBBB", at, 0, 0, 1) + b"S") + record(0x000A)
    assert "年度预算" in text_of(compound({"Book": (head + inner).ljust(4096, b"\0")}))


@pytest.mark.parametrize(
    ("text", "page", "encoding"),
    [
        ("年度预算", 10008, "gb18030"),
        ("予算のお知らせ", 10001, "cp932"),
        ("Бюджет", 10007, "mac_cyrillic"),
    ],
)
def test_a_workbook_of_an_old_macintosh_is_in_its_code_page(
    text: str, page: int, encoding: str
) -> None:
    told = text.encode(encoding)
    label = struct.pack("<HHHH", 0, 0, 0, len(told)) + told
    head = record(0x0809, struct.pack("<HHHH", 0x0500, 0x0005, 0, 0))
    head += record(0x0042, struct.pack("<H", page))
    inner = record(0x0809, struct.pack("<HHHH", 0x0500, 0x0010, 0, 0))
    inner += record(0x0204, label) + record(0x000A)
    at = len(head) + 12 + 4  # behind the name of the sheet and the end
    head += record(0x0085, struct.pack("<IBBB", at, 0, 0, 1) + b"S") + record(0x000A)
    assert text in text_of(compound({"Book": (head + inner).ljust(4096, b"\0")}))


def test_a_stream_in_capitals_is_found() -> None:
    data = workbook({"Sheet": sheet([["name", "seats"], ["spring", 6]])}, name="WORKBOOK")
    assert "| spring | 6 |" in text_of(data)


def test_an_embedded_file_becomes_a_section() -> None:
    def readers() -> tuple[Reader, ...]:
        return (HtmlReader(),)

    page = "<html><body><p>附件：操作说明</p></body></html>".encode()
    data = workbook({"表": sheet([["a", "b"], [1, 2]])}, MBD00A1__Package=page)
    document = OldSpreadsheetReader(readers).read(data, "book.xls")
    assert document.blocks[-1].heading[-1] == "MBD00A1"
    assert document.text.endswith("附件：操作说明")


def test_a_workbook_before_excel_5_is_read_without_its_container() -> None:
    def old(row: int, column: int, text: str) -> bytes:
        return record(
            0x0204, struct.pack("<HHHH", row, column, 0, len(text)) + text.encode("ascii")
        )

    data = record(0x0409, struct.pack("<HHH", 0x0400, 0x0010, 0))
    data += old(0, 0, "name") + old(0, 1, "seats") + old(1, 0, "spring")
    data += record(0x0203, struct.pack("<HHHd", 1, 1, 0, 6.0)) + record(0x000A)
    assert OldSpreadsheetReader().accepts(Sample(name="old.xls", head=data))
    assert not OldSpreadsheetReader().accepts(Sample(name="old.bin", head=data))
    assert "| spring | 6 |" in text_of(data)


def test_what_is_no_workbook_is_damaged() -> None:
    with pytest.raises(ReadError) as caught:
        text_of(compound({"Workbook": b"\x09\x08\x10\x00nonsense" * 600}))
    assert caught.value.key == "read.damaged"


def test_a_binary_workbook_of_today_that_is_damaged_says_so() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.bin", b"\x83\x01\x00nonsense")
    reader = BinarySpreadsheetReader()
    assert reader.accepts(Sample(name="x.xlsb", head=b"PK\x03\x04", container="xlsb"))
    with pytest.raises(ReadError) as caught:
        reader.read(file.getvalue(), "x.xlsb")
    assert caught.value.key == "read.damaged"


def binary(*records: tuple[int, bytes]) -> bytes:
    """Write records of a binary part: kind and size in sevens of bits, then content."""
    written = b""
    for kind, data in records:
        number = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
        written += number + bytes([len(data)]) + data
    return written


def wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def test_a_binary_workbook_of_today_is_a_table_a_sheet() -> None:
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relation = f'<Relationship Id="rId1" Type="{kinds}/worksheet" Target="worksheets/sheet1.bin"/>'
    bundle = struct.pack("<II", 0, 1) + wide("rId1") + wide("会议室")
    place = struct.Struct("<II")
    cells = binary(
        (129, b""),
        (148, struct.pack("<IIII", 0, 1, 0, 1)),
        (145, b""),
        (0, struct.pack("<I", 0) + bytes(13)),
        (6, place.pack(0, 0) + wide("名称")),
        (6, place.pack(1, 0) + wide("座位")),
        (0, struct.pack("<I", 1) + bytes(13)),
        (6, place.pack(0, 0) + wide("听泉")),
        (5, place.pack(1, 0) + struct.pack("<d", 6.5)),
        (146, b""),
        (130, b""),
    )
    book = binary((143, b""), (156, bundle), (144, b""), (132, b""))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.bin", book)
        archive.writestr("xl/worksheets/sheet1.bin", cells)
        archive.writestr(
            "xl/_rels/workbook.bin.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f"{relation}</Relationships>",
        )
        archive.writestr("[Content_Types].xml", "<Types/>")
    document = BinarySpreadsheetReader().read(file.getvalue(), "rooms.xlsb")
    assert document.text == "会议室\n\n| 名称 | 座位 |\n| --- | --- |\n| 听泉 | 6.5 |"
    assert document.title == "rooms"


def test_sectors_that_lead_in_circles_end() -> None:
    rows: list[list[Cell]] = [["name", "seats"], *([f"room {n}", n] for n in range(300))]
    data = bytearray(workbook({"rooms": sheet(rows)}))
    table = data.index(struct.pack("<III", 1, 2, 3))
    data[table + 40 : table + 44] = struct.pack("<I", 2)
    with pytest.raises(ReadError) as caught:
        text_of(bytes(data))
    assert caught.value.key in {"read.damaged", "read.empty"}
