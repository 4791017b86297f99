"""PDF: files that ask for a password."""

from __future__ import annotations

import hashlib

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions
from wenqu.readers.pages.pdf import PdfReader
from wenqu.testing.pdfs import PAGE, pdf

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
