"""Messages that are signed as a whole: the text is in the open, inside the signature's wrapping.

Source: RFC 5652 §5.1 (SignedData), X.690 §8.1 (lengths, also those that are not said).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["signed_content"]

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_CONSTRUCTED = 0x20
_LONG_LENGTH, _MAX_LENGTH_BYTES = 0x80, 4
_MAX_DEPTH = 20


class _Part(NamedTuple):
    """An element of the encoding: its tag, where its content is, and where the next one begins."""

    tag: int
    start: int
    end: int
    after: int


def signed_content(data: bytes) -> bytes | None:
    """Return what is signed, or None where it is encrypted, elsewhere, or not to be found."""
    try:
        whole = _part(data, 0, len(data), 0)
        kind, wrapped = list(_parts(data, whole))[:2]
        if data[kind.start : kind.end] != _SIGNED_DATA:
            return None
        signed = next(_parts(data, wrapped))
        content = list(_parts(data, signed))[2]
        inner = list(_parts(data, content))[1]
        return _octets(data, next(_parts(data, inner)), 0) or None
    except (IndexError, StopIteration, ValueError):
        return None


def _part(data: bytes, at: int, limit: int, depth: int) -> _Part:
    tag, length = data[at], data[at + 1]
    start = at + 2
    if length > _LONG_LENGTH:
        size = length - _LONG_LENGTH
        if size > _MAX_LENGTH_BYTES:
            raise ValueError(size)
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    elif length == _LONG_LENGTH:
        if depth > _MAX_DEPTH:
            raise ValueError(depth)
        end = start
        while data[end : end + 2] != b"\0\0":
            end = _part(data, end, limit, depth + 1).after
        return _Part(tag, start, end, end + 2)
    if start + length > limit:
        raise ValueError(length)
    return _Part(tag, start, start + length, start + length)


def _parts(data: bytes, of: _Part) -> Iterator[_Part]:
    at = of.start
    while at < of.end:
        part = _part(data, at, of.end, 0)
        yield part
        at = part.after


def _octets(data: bytes, part: _Part, depth: int) -> bytes:
    """Return a string of bytes, which may come in pieces."""
    if not part.tag & _CONSTRUCTED:
        return data[part.start : part.end]
    if depth > _MAX_DEPTH:
        raise ValueError(depth)
    return b"".join(_octets(data, piece, depth + 1) for piece in _parts(data, part))
