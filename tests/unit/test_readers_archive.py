"""ZIP files and XML from strangers."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.readers.archive import SafeZip, parse_xml

if TYPE_CHECKING:
    from collections.abc import Mapping


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_a_bomb_is_not_unpacked() -> None:
    data = zipped({"a.txt": b"\0" * 5_000_000, "b.txt": b"\0" * 600_000, "c.txt": b"\0" * 600_000})
    archive = SafeZip(data, "a.zip", member_limit=1 << 20, total_limit=1 << 20)
    with pytest.raises(ReadError) as caught:
        archive.read("a.txt")
    assert caught.value.key == "read.bomb"
    assert len(archive.read("b.txt")) == 600_000
    with pytest.raises(ReadError) as caught:
        archive.read("c.txt")
    assert caught.value.key == "read.bomb"


def test_a_member_that_lies_about_its_size_is_not_unpacked_further() -> None:
    data = bytearray(zipped({"a.txt": b"\0" * 3_000_000}))
    size = (3_000_000).to_bytes(4, "little")
    data[data.rindex(size) : data.rindex(size) + 4] = (9).to_bytes(4, "little")
    with pytest.raises(ReadError) as caught:
        SafeZip(bytes(data), "a.zip", member_limit=1 << 20).read("a.txt")
    assert caught.value.key in {"read.damaged", "read.bomb"}


def test_members_are_found_however_their_names_are_written() -> None:
    data = zipped({"QQQQQQ.xhtml": "text", "OPS\\Page.xhtml": "page"})
    archive = SafeZip(data.replace(b"QQQQQQ", "第一章".encode("gbk")), "a.zip")
    chapter, page = archive.find("第一章.xhtml"), archive.find("%4FPS/page.xhtml")
    assert chapter is not None
    assert page is not None
    assert archive.read(chapter) == b"text"
    assert archive.read(page) == b"page"
    assert archive.find("nothing") is None


def test_entities_are_never_resolved() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "lol"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;<d x="1"/></a>'
    root = parse_xml(bomb.encode(), "a.xml")
    assert "lol" not in "".join(map(str, root.itertext()))
    outside = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>'
    assert not "".join(map(str, parse_xml(outside.encode(), "a.xml").itertext())).strip("&b;")


def test_xml_too_deep_for_any_document_is_an_error() -> None:
    with pytest.raises(ReadError) as caught:
        parse_xml(b"<a>" * 100_000, "a.xml")
    assert caught.value.key == "read.damaged"


@pytest.mark.parametrize("data", [b'<a xml:id="1 2">t</a>', b"<x:a>t</x:a>"])
def test_xml_that_is_well_formed_but_breaks_other_rules_is_read(data: bytes) -> None:
    assert parse_xml(data, "a.xml").text == "t"


@pytest.mark.parametrize("data", [b'<a xml:id="1 2">t', b'<x:a b="1" b="2">t</x:a>'])
def test_xml_that_is_not_well_formed_is_damaged_whatever_else_it_breaks(data: bytes) -> None:
    with pytest.raises(ReadError) as caught:
        parse_xml(data, "a.xml")
    assert caught.value.key == "read.damaged"


def test_what_is_no_zip_or_is_locked_says_so() -> None:
    with pytest.raises(ReadError) as caught:
        SafeZip(b"PK\x03\x04 and nothing more", "a.zip")
    assert caught.value.key == "read.damaged"
    data = bytearray(zipped({"a.txt": "secret"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag of an encrypted member
    with pytest.raises(ReadError) as caught:
        SafeZip(bytes(data), "a.zip").read("a.txt")
    assert caught.value.key == "read.encrypted"
