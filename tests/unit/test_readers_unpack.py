"""Archives as folders of documents, opened without trusting them."""

from __future__ import annotations

import base64
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS, ReadOptions
from wenqu.readers.unpack import Member, unpack

if TYPE_CHECKING:
    from pathlib import Path

# zip -P secret, of a.txt: Python's zipfile opens such files but cannot write them.
SECRET = base64.b64decode(
    "UEsDBAoACQAAAFlodl30j2H+EwAAAAcAAAAFABwAYS50eHRVVAkAA/rnAmv65wJrdXgLAAEEAAAAAAQAAAAA7HSY"
    "/1Ol5J+BBp6cho7qfjvvjVBLBwj0j2H+EwAAAAcAAABQSwECHgMKAAkAAABZaHZd9I9h/hMAAAAHAAAABQAYAAAA"
    "AAABAAAApIEAAAAAYS50eHRVVAUAA/rnAmt1eAsAAQQAAAAABAAAAABQSwUGAAAAAAEAAQBLAAAAYgAAAAAA"
)


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def unpacked(path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> list[Member]:
    into = path.with_name("into")
    into.mkdir()
    return unpack(path, path.name, into, options)


def contents(members: list[Member]) -> dict[str, bytes]:
    return {member.name: member.path.read_bytes() for member in members if member.path}


def test_each_member_becomes_a_file_with_its_suffix(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"制度/请假.md": b"# a", "b.txt": b"b", "empty/": b""})
    members = unpacked(path)
    assert contents(members) == {"制度/请假.md": b"# a", "b.txt": b"b"}
    assert [member.path.suffix for member in members if member.path] == [".md", ".txt"]


@pytest.mark.parametrize(
    "name", ["../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "a/./../b.txt"]
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "a.zip", {name: b"x"})
    (member,) = unpacked(path)
    assert member.path
    assert member.path.resolve().is_relative_to(tmp_path / "into")
    assert ".." not in member.name
    assert not member.name.startswith("/")


@pytest.mark.parametrize("encoding", ["gb18030", "big5"])
def test_names_that_do_not_say_their_encoding_are_told_from_their_bytes(
    tmp_path: Path, encoding: str
) -> None:
    name = "關於年度預算執行情況的報告" if encoding == "big5" else "关于年度预算执行情况的报告"
    path = zipped(tmp_path / "a.zip", {"#" * len(name.encode(encoding)) + ".txt": b"x"})
    data = path.read_bytes()
    path.write_bytes(data.replace(b"#" * len(name.encode(encoding)), name.encode(encoding)))
    assert [member.name for member in unpacked(path)] == [f"{name}.txt"]


def test_what_operating_systems_leave_in_archives_is_left_out(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"__MACOSX/a.txt": b"x", "b/.DS_Store": b"x", "a.txt": b"a"})
    assert list(contents(unpacked(path))) == ["a.txt"]


def test_more_bytes_than_allowed_are_refused_whatever_the_directory_says(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", {f"{n}.txt": bytes(1 << 20) for n in range(4)})
    with pytest.raises(ReadError) as caught:
        unpacked(path, ReadOptions(max_unpacked_mb=2))
    assert caught.value.key == "read.archive_large"


def test_more_members_than_allowed_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{n}.txt": b"x" for n in range(9)})
    with pytest.raises(ReadError) as caught:
        unpacked(path, ReadOptions(max_members=8))
    assert caught.value.key == "read.archive_members"


def test_a_damaged_member_costs_itself(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.txt": b"a" * 500, "b.txt": b"b" * 500})
    data = bytearray(path.read_bytes())
    at = data.index(b"a.txt") + len(b"a.txt")
    data[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    bad, good = unpacked(path)
    assert bad.error is not None
    assert bad.error.key == "read.damaged"
    assert good.path
    assert good.path.read_bytes() == b"b" * 500


@pytest.mark.parametrize(
    ("passwords", "key"), [((), "read.encrypted"), (("wrong",), "read.password")]
)
def test_a_member_under_a_password_says_so(
    tmp_path: Path, passwords: tuple[str, ...], key: str
) -> None:
    (tmp_path / "a.zip").write_bytes(SECRET)
    (member,) = unpacked(tmp_path / "a.zip", ReadOptions(passwords=passwords))
    assert member.error is not None
    assert member.error.key == key


def test_the_right_password_opens_a_member(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(SECRET)
    (member,) = unpacked(tmp_path / "a.zip", ReadOptions(passwords=("wrong", "secret")))
    assert contents([member]) == {"a.txt": b"inside\n"}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_tar_archives_are_read_too_but_their_links_are_not(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        info = tarfile.TarInfo("docs/a.md")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"# a"))
        link = tarfile.TarInfo("docs/passwd.txt")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc/passwd"
        archive.addfile(link)
    assert contents(unpacked(path)) == {"docs/a.md": b"# a"}


@pytest.mark.parametrize("data", [b"PK\x03\x04 nothing", b"\x1f\x8b nothing", b""])
def test_what_is_no_archive_is_said_to_be_damaged(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with pytest.raises(ReadError) as caught:
        unpacked(path)
    assert caught.value.key == "read.damaged"
