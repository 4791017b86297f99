"""Small files that want to be huge, and huge files: each costs its own answer and nothing else.

Every file here is made by the test and read as ``wenqu add`` reads it, by all readers, in a worker
process. Whatever comes of it, the next file is read.
"""

from __future__ import annotations

import asyncio
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from wenqu.app import open_app
from wenqu.errors import ReadError
from wenqu.pipeline.ingest import FileStatus
from wenqu.protocols import ReadOptions
from wenqu.readers.worker import ReadingPool
from wenqu.testing.embedder import FakeEmbedder
from wenqu.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    Outcome = Document | ReadError

MB = 1 << 20
DEPTH = 100_000
NOT_OURS = {"read.crashed", "read.worker", "read.unsupported"}
"""A crash is contained, but a file made to do harm is to be known for what it is."""


def fate(path: Path, *, memory_mb: int = 1024, timeout_s: float = 600, **more: int) -> Outcome:
    """Read the file, and then another with the same pool; return what came of the first."""
    following = path.with_name("next.txt")
    following.write_text("The next file is read. 下一个文件照常读取。", "utf-8")
    options = ReadOptions(ocr=bool(more.pop("ocr", 0)))

    async def work() -> Outcome:
        outcome: Outcome
        async with ReadingPool(
            timeout_s=timeout_s,
            total_timeout_s=timeout_s,
            memory_mb=memory_mb,
            options=options,
            **more,
        ) as pool:
            try:
                outcome = await pool.read(path, path.name)
            except ReadError as error:
                outcome = error
            assert "照常读取" in (await pool.read(following, "next.txt")).text
        return outcome

    outcome = asyncio.run(work())
    if isinstance(outcome, ReadError):
        assert outcome.key not in NOT_OURS, str(outcome)
        assert outcome.hint("zh")
        assert outcome.hint("en")
    return outcome


def text_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Document), str(outcome)
    return outcome.text


def pack(path: Path, members: dict[str, bytes | Iterable[bytes]]) -> Path:
    """Write a ZIP file; a member's content may come in pieces."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            with archive.open(name, "w", force_zip64=True) as member:
                for piece in (content,) if isinstance(content, bytes) else content:
                    member.write(piece)
    return path


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
ODF_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"


def package(main: str, kind: str) -> dict[str, bytes | Iterable[bytes]]:
    """Return what every Office file has beside its content."""
    return {
        "[Content_Types].xml": (
            f'<?xml version="1.0"?><Types xmlns="{TYPES}">'
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/{main}" ContentType="application/'
            f'vnd.openxmlformats-officedocument.{kind}.main+xml"/></Types>'
        ).encode(),
        "_rels/.rels": (
            f'<?xml version="1.0"?><Relationships xmlns="{RELATIONS}"><Relationship Id="r1" '
            f'Type="{R}/officeDocument" Target="{main}"/></Relationships>'
        ).encode(),
    }


def docx(path: Path, body: Iterable[bytes], before: bytes = b"") -> Path:
    def content() -> Iterator[bytes]:
        yield b'<?xml version="1.0"?>' + before + f"<w:document {W}><w:body>".encode()
        yield from body
        yield b"</w:body></w:document>"

    main = "word/document.xml"
    return pack(path, {**package(main, "wordprocessingml.document"), main: content()})


def xlsx(path: Path, rows: Iterable[bytes], before: bytes = b"") -> Path:
    def content() -> Iterator[bytes]:
        yield b'<?xml version="1.0"?>' + before + f"<worksheet {S}><sheetData>".encode()
        yield from rows
        yield b"</sheetData></worksheet>"

    main = "xl/workbook.xml"
    parts = package(main, "spreadsheetml.sheet")
    parts[main] = (
        f'<?xml version="1.0"?><workbook {S} xmlns:r="{R}"><sheets>'
        '<sheet name="Data" sheetId="1" r:id="r1"/></sheets></workbook>'
    ).encode()
    parts["xl/_rels/workbook.xml.rels"] = (
        f'<?xml version="1.0"?><Relationships xmlns="{RELATIONS}"><Relationship Id="r1" '
        f'Type="{R}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ).encode()
    parts["xl/worksheets/sheet1.xml"] = content()
    return pack(path, parts)


def open_document(path: Path, kind: str, body: Iterable[bytes], before: bytes = b"") -> Path:
    def content() -> Iterator[bytes]:
        yield b'<?xml version="1.0"?>' + before
        yield (
            f'<office:document-content xmlns:office="{OFFICE}" xmlns:table="{TABLE}" '
            f'xmlns:text="{ODF_TEXT}"><office:body><office:{kind}>'
        ).encode()
        yield from body
        yield f"</office:{kind}></office:body></office:document-content>".encode()

    mime = f"application/vnd.oasis.opendocument.{kind}"
    return pack(path, {"mimetype": mime.encode(), "content.xml": content()})


def epub(path: Path, body: Iterable[bytes], before: bytes = b"") -> Path:
    def chapter() -> Iterator[bytes]:
        yield b'<?xml version="1.0"?>' + before
        yield b'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head><body>'
        yield from body
        yield b"</body></html>"

    return pack(
        path,
        {
            "mimetype": b"application/epub+zip",
            "META-INF/container.xml": (
                b'<container version="1.0" '
                b'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile '
                b'full-path="a.opf" media-type="application/oebps-package+xml"/>'
                b"</rootfiles></container>"
            ),
            "a.opf": (
                b'<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata/>'
                b'<manifest><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/>'
                b'</manifest><spine><itemref idref="c"/></spine></package>'
            ),
            "c.xhtml": chapter(),
        },
    )


def much(piece: bytes, megabytes: int) -> Iterator[bytes]:
    """Yield about so many megabytes of a piece, again and again."""
    block = piece * (MB // len(piece) + 1)
    for _ in range(megabytes):
        yield block


def bomb(path: Path) -> Path:
    """Write a file of a few MB that unpacks to over 1 GB, of the kind that its suffix names."""
    word = b"<w:p><w:r><w:t>again and again</w:t></w:r></w:p>"
    cell = b'<row><c t="inlineStr"><is><t>again and again</t></is></c></row>'
    match path.suffix:
        case ".docx":
            return docx(path, much(word, 1500))
        case ".xlsx":
            return xlsx(path, much(cell, 1500))
        case ".odt":
            return open_document(path, "text", much(b"<text:p>again and again</text:p>", 1500))
        case ".epub":
            return epub(path, much(b"<p>again and again</p>", 1500))
        case _:
            return pack(path, {f"{n}.txt": much(b"again and again\n", 300) for n in range(4)})


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["docx", "xlsx", "odt", "epub"])
def test_a_zip_bomb_is_refused_or_read_in_part(tmp_path: Path, suffix: str) -> None:
    path = bomb(tmp_path / f"bomb.{suffix}")
    assert path.stat().st_size < 40 * MB
    outcome = fate(path)
    assert not isinstance(outcome, ReadError) or outcome.key not in {"read.memory", "read.timeout"}


def fates(home: Path, path: Path) -> dict[str, str]:
    """Add an archive and another file as ``wenqu add`` does: source → error's key or status."""
    following = path.with_name("next.txt")
    following.write_text("The next file is read.", "utf-8")

    async def work() -> dict[str, str]:
        async with open_app(home=home, embedder=FakeEmbedder()) as app:
            outcomes = (await app.add("made", [path, following])).outcomes
        for outcome in outcomes:
            assert outcome.error is None or outcome.error.hint("zh"), outcome
        return {
            outcome.source: outcome.error.key if outcome.error else outcome.status
            for outcome in outcomes
        }

    found = asyncio.run(work())
    assert found.pop(str(following)) == FileStatus.ADDED
    return found


@pytest.mark.slow
def test_an_archive_that_unpacks_to_gigabytes_costs_its_large_members(tmp_path: Path) -> None:
    path = bomb(tmp_path / "bomb.zip")
    assert path.stat().st_size < 40 * MB
    assert set(fates(tmp_path / "home", path).values()) <= {"read.too_big", "read.archive_large"}


def test_archives_within_archives_end(tmp_path: Path) -> None:
    inner = pack(tmp_path / "0.zip", {"a.txt": b"a word in the innermost"})
    for level in range(1, 20):
        content = inner.read_bytes()
        inner = pack(tmp_path / f"{level}.zip", {f"{n}.zip": content for n in range(2)})
    found = fates(tmp_path / "home", inner)
    assert set(found.values()) == {"read.archive_deep"}
    assert len(found) <= 16


@pytest.mark.slow
def test_an_archive_of_a_hundred_thousand_files_is_refused(tmp_path: Path) -> None:
    members: dict[str, bytes | Iterable[bytes]] = {f"{n}.txt": b"word" for n in range(100_000)}
    found = fates(tmp_path / "home", pack(tmp_path / "many.zip", members))
    assert set(found.values()) == {"read.archive_members"}


def rows_of(*rows: dict[str, str]) -> list[bytes]:
    """Return rows of a sheet from their cells: reference → text."""
    return [
        b'<row r="%d">' % int("".join(filter(str.isdigit, next(iter(cells)))))
        + b"".join(
            f'<c r="{at}" t="inlineStr"><is><t>{text}</t></is></c>'.encode()
            for at, text in cells.items()
        )
        + b"</row>"
        for cells in rows
    ]


def test_a_sheet_with_a_cell_in_its_last_corner_is_no_table_of_billions(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "far.xlsx", rows_of({"A1": "near"}, {"XFD1048576": "far"}))
    text = text_of(fate(path))
    assert "near" in text
    assert "far" in text
    assert len(text) < 1000


def test_repeated_cells_of_a_spreadsheet_are_not_repeated_for_ever(tmp_path: Path) -> None:
    cell = (
        b'<table:table-cell table:number-columns-repeated="16384"><text:p>%s</text:p>'
        b"</table:table-cell>"
    )
    row = b'<table:table-row table:number-rows-repeated="%d">' + cell + b"</table:table-row>"
    body = b'<table:table table:name="A">' + row % (1, b"near") + row % (1_048_576, b"far")
    fate(open_document(tmp_path / "wide.ods", "spreadsheet", [body + b"</table:table>"]))


def test_a_cell_that_claims_to_span_millions_is_a_cell(tmp_path: Path) -> None:
    path = tmp_path / "span.html"
    path.write_text(
        "<table><tr><th>name</th><th>value</th></tr>"
        "<tr><td colspan=999999999 rowspan=999999999>wide</td><td>after</td></tr>"
        "<tr><td>last</td></tr></table>",
        "utf-8",
    )
    text = text_of(fate(path))
    assert "after" in text
    assert "last" in text
    assert len(text) < 100_000


def deep(path: Path) -> Path:
    """Write a file that is nested 100,000 deep, of the kind that its suffix names."""
    match path.suffix:
        case ".docx":
            body = b"<w:sdt><w:sdtContent>" * DEPTH + b"<w:p><w:r><w:t>in</w:t></w:r></w:p>"
            return docx(path, [body, b"</w:sdtContent></w:sdt>" * DEPTH])
        case ".odt":
            body = b"<text:section>" * DEPTH + b"<text:p>in</text:p>"
            return open_document(path, "text", [body, b"</text:section>" * DEPTH])
        case ".epub":
            return epub(path, [b"<div>" * DEPTH, b"<p>in</p>", b"</div>" * DEPTH])
        case ".xml":
            content = "<?xml version='1.0'?>" + "<a>" * DEPTH + "in" + "</a>" * DEPTH
        case ".html":
            content = "<!doctype html><p>in front" + "<div>" * DEPTH + "<p>in" + "</div>" * DEPTH
        case ".json":
            content = '{"a":' * DEPTH + '"in"' + "}" * DEPTH
        case ".rtf":
            content = "{\\rtf1 in front " + "{" * DEPTH + "in" + "}" * DEPTH + "}"
        case ".md":
            content = "in front\n\n" + "> " * DEPTH + "in\n"
        case _:
            content = "Subject: in\n" + "".join(
                f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(2000)
            )
    path.write_text(content, "utf-8")
    return path


@pytest.mark.parametrize(
    "suffix", ["docx", "odt", "epub", "xml", "html", "json", "rtf", "md", "eml"]
)
def test_a_file_nested_a_hundred_thousand_deep_is_text_or_a_clear_error(
    tmp_path: Path, suffix: str
) -> None:
    outcome = fate(deep(tmp_path / f"deep.{suffix}"))
    assert not isinstance(outcome, ReadError) or outcome.key not in {"read.memory", "read.timeout"}


LAUGHS = (
    '<!DOCTYPE r [<!ENTITY l0 "laugh">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
).encode()


def with_entity(path: Path, before: bytes, entity: bytes) -> Path:
    """Write a file whose text names an entity that ``before`` declares."""
    match path.suffix:
        case ".docx":
            body = b"<w:p><w:r><w:t>seen " + entity + b"</w:t></w:r></w:p>"
            return docx(path, [body], before)
        case ".xlsx":
            row = (
                b'<row r="1"><c r="A1" t="inlineStr"><is><t>seen ' + entity + b"</t></is></c></row>"
            )
            return xlsx(path, [row], before)
        case ".odt":
            return open_document(path, "text", [b"<text:p>seen " + entity + b"</text:p>"], before)
        case ".epub":
            return epub(path, [b"<p>seen " + entity + b"</p>"], before)
        case _:
            path.write_bytes(
                b"<?xml version='1.0'?>" + before + b"<r><p>seen " + entity + b"</p></r>"
            )
            return path


XML_BASED = ["xml", "docx", "xlsx", "odt", "epub", "html"]


@pytest.mark.parametrize("suffix", XML_BASED)
def test_entities_that_multiply_are_not_written_out(tmp_path: Path, suffix: str) -> None:
    outcome = fate(with_entity(tmp_path / f"laughs.{suffix}", LAUGHS, b"&l9;"))
    if isinstance(outcome, ReadError):
        assert outcome.key == "read.damaged"
    else:
        assert len(outcome.text) < 1000


@pytest.mark.parametrize("suffix", XML_BASED)
def test_a_file_cannot_bring_in_another_file(tmp_path: Path, suffix: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2", "utf-8")
    outside = f'<!DOCTYPE r [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'.encode()
    outcome = fate(with_entity(tmp_path / f"outside.{suffix}", outside, b"&x;"))
    said = str(outcome) if isinstance(outcome, ReadError) else f"{outcome.text} {outcome.meta}"
    assert "hunter2" not in said


def pdf(path: Path, pages: int, box: str = "0 0 595 842", content: str = "") -> Path:
    """Write a PDF whose pages say their numbers, or have such content."""
    kids = " ".join(f"{5 + 2 * n} 0 R" for n in range(pages))
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {pages}/Kids[{kids}]>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        "<</Producer(made)>>",
    ]
    for number in range(1, pages + 1):
        shown = content or f"BT /F 12 Tf 72 700 Td (This page is number {number}) Tj ET"
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Resources<</Font<</F 3 0 R>>>>"
            f"/Contents {len(objects) + 2} 0 R>>"
        )
        objects.append(f"<</Length {len(shown)}>>stream\n{shown}\nendstream")
    parts, places, at = ["%PDF-1.4\n"], [], 9
    for number, body in enumerate(objects, start=1):
        places.append(at)
        parts.append(f"{number} 0 obj{body}endobj\n")
        at += len(parts[-1])
    parts.append(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n")
    parts.extend(f"{place:010} 00000 n \n" for place in places)
    parts.append(f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{at}\n%%EOF\n")
    path.write_text("".join(parts), "ascii")
    return path


@pytest.mark.slow
def test_a_pdf_of_ten_thousand_pages_is_read_to_its_last(tmp_path: Path) -> None:
    outcome = fate(pdf(tmp_path / "long.pdf", 10_000))
    assert "This page is number 10000" in text_of(outcome)
    assert isinstance(outcome, Document)
    assert outcome.blocks[-1].page == 10_000


def test_a_page_of_kilometres_is_not_drawn_in_full(tmp_path: Path) -> None:
    square = "0 0 900000 900000 re f"
    outcome = fate(pdf(tmp_path / "vast.pdf", 1, "0 0 1000000 1000000", square), ocr=1)
    assert isinstance(outcome, ReadError)
    assert outcome.key in {"read.no_text", "read.empty"}


@pytest.mark.slow
def test_a_table_of_350_000_rows_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    rows = (f"{n},name {n},城市 {n % 100},{n * 3.5}\n" for n in range(350_000))
    path.write_text("id,name,city,value\n" + "".join(rows), "utf-8")
    text = text_of(fate(path))
    assert "name 349999" in text
    assert text.count("\n") >= 350_000


@pytest.mark.slow
def test_a_workbook_of_many_rows_is_read_whole(tmp_path: Path) -> None:
    def rows() -> Iterator[bytes]:
        for n in range(1, 100_001):
            cells = f'<c r="A{n}"><v>{n}</v></c><c r="B{n}"><v>{n * 2}</v></c>'
            yield f'<row r="{n}">{cells}</row>'.encode()

    text = text_of(fate(xlsx(tmp_path / "long.xlsx", rows())))
    assert "200000" in text


@pytest.mark.slow
def test_a_text_of_200_mb_is_too_big_or_too_long(tmp_path: Path) -> None:
    path = tmp_path / "vast.txt"
    with path.open("wb") as file:
        for piece in much("一行文字，没有尽头。A line without end.\n".encode(), 200):
            file.write(piece)
    refused = fate(path)
    assert isinstance(refused, ReadError)
    assert refused.key == "read.too_big"
    allowed = fate(path, max_file_mb=300, memory_mb=2048)
    assert isinstance(allowed, ReadError)
    assert allowed.key in {"read.too_long", "read.memory"}


def png(path: Path, side: int, *, whole: bool) -> Path:
    """Write a white square of 1 bit a pixel, ``whole`` or with its first line only."""
    squeeze = zlib.compressobj(1)
    line = b"\0" + b"\xff" * ((side + 7) // 8)
    data = b"".join(squeeze.compress(line) for _ in range(side if whole else 1)) + squeeze.flush()

    def part(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = (part(b"IHDR", header), part(b"IDAT", data), part(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("side", "whole"), [(40_000, True), (2_000_000, False)])
def test_an_image_of_billions_of_pixels_is_refused(
    tmp_path: Path,
    side: int,
    whole: bool,  # noqa: FBT001  # a case, not an interface
) -> None:
    outcome = fate(png(tmp_path / "vast.png", side, whole=whole), ocr=1)
    assert isinstance(outcome, ReadError)
    assert outcome.key not in {"read.memory", "read.timeout"}
