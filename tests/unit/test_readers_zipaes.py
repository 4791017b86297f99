"""Members of ZIP archives under AES, in archives that pyzipper wrote."""

from __future__ import annotations

import base64
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from wenqu.protocols import ReadOptions
from wenqu.readers.unpack import unpack
from wenqu.readers.zipaes import is_aes, open_aes

if TYPE_CHECKING:
    from pathlib import Path

    from wenqu.readers.unpack import Member

TEXT = "第一条 inside\n" * 8
# AE-1, 256 bits, password "secret".
FIRST = base64.b64decode(
    "UEsDBBQAAQBjAEqwdl3Zoub9MwAAAIgAAAAFAAsAYS50eHQBmQcAAQBBRQMIAKM8PM87fb+FayQ6QSLgjtN8YiifMEZG"
    "S4tvAKedKmwdQ+7gtlyu2YBQo172IwlzkRLESFBLAQIUAxQAAQBjAEqwdl3Zoub9MwAAAIgAAAAFAAsAAAAAAAAAAACA"
    "AQAAAABhLnR4dAGZBwABAEFFAwgAUEsFBgAAAAABAAEAPgAAAGEAAAAAAA=="
)
# AE-2, 128 bits, password "口令" in GB18030.
SECOND = base64.b64decode(
    "UEsDBBQAAQBjAEqwdl0AAAAAKwAAAIgAAAAFAAsAYS50eHQBmQcAAgBBRQEIAMjIbdgP9jB5mSr5UQGmnodNSGp5xAf6"
    "CEddK1hiEGhm2lx5TSzMyun7GSNQSwECFAMUAAEAYwBKsHZdAAAAACsAAACIAAAABQALAAAAAAAAAAAAgAEAAAAAYS50"
    "eHQBmQcAAgBBRQEIAFBLBQYAAAAAAQABAD4AAABZAAAAAAA="
)
_HEADERS = 30 + 5 + 11  # local header, the name, the field that tells of the cipher


def unpacked(tmp_path: Path, data: bytes, *passwords: str) -> Member:
    path, into = tmp_path / "a.zip", tmp_path / "into"
    path.write_bytes(data)
    into.mkdir()
    (member,) = unpack(path, "a.zip", into, ReadOptions(passwords=passwords))
    return member


@pytest.mark.parametrize(("data", "password"), [(FIRST, "secret"), (SECOND, "口令")])
def test_the_right_password_among_several_opens_a_member(
    tmp_path: Path, data: bytes, password: str
) -> None:
    member = unpacked(tmp_path, data, "wrong", password)
    assert member.path is not None
    assert member.path.read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize(
    ("passwords", "key"), [((), "read.encrypted"), (("wrong", "密码"), "read.password")]
)
def test_a_member_without_its_password_says_so(
    tmp_path: Path, passwords: tuple[str, ...], key: str
) -> None:
    member = unpacked(tmp_path, FIRST, *passwords)
    assert member.error is not None
    assert member.error.key == key


@pytest.mark.parametrize("at", [_HEADERS + 16 + 2, _HEADERS + 0x33 - 1])
@pytest.mark.parametrize("passwords", [("secret",), ("secret", "wrong"), ("wrong", "secret")])
def test_a_member_that_was_changed_is_not_believed(
    tmp_path: Path, at: int, passwords: tuple[str, ...]
) -> None:
    data = bytearray(FIRST)
    data[at] ^= 1  # the first byte of the contents, or the last of the seal
    member = unpacked(tmp_path, bytes(data), *passwords)
    assert member.error is not None
    assert member.path is None


def test_the_contents_come_in_pieces_of_any_size() -> None:
    with zipfile.ZipFile(BytesIO(FIRST)) as archive:
        (info,) = archive.infolist()
        assert is_aes(info)
        assert archive.fp is not None
        with open_aes(archive.fp, info, b"secret") as file:
            pieces = list(iter(lambda: file.read(3), b""))
    assert b"".join(pieces).decode() == TEXT


@pytest.mark.parametrize("field", [b"", b"\x01\x99\x07\0\x02\0AE\x09\x08\0", b"\x01\x99\xff\xff"])
def test_a_member_of_an_unknown_cipher_is_damaged(field: bytes) -> None:
    with zipfile.ZipFile(BytesIO(FIRST)) as archive:
        (info,) = archive.infolist()
        info.extra = field
        assert archive.fp is not None
        with pytest.raises(zipfile.BadZipFile):
            open_aes(archive.fp, info, b"secret")


def test_a_member_that_is_cut_off_is_damaged() -> None:
    with zipfile.ZipFile(BytesIO(FIRST)) as archive:
        (info,) = archive.infolist()
        info.compress_size = 20
        assert archive.fp is not None
        with pytest.raises(zipfile.BadZipFile):
            open_aes(archive.fp, info, b"secret")
