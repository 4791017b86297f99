"""Members of ZIP archives under AES, as WinZip, 7-Zip and WinRAR write them.

Python's zipfile knows only the old cipher. Here the bytes are deciphered as they are read, and
zipfile unpacks what comes out.

Source: WinZip, AES Encryption Information, versions AE-1 and AE-2.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import zipfile
from copy import copy
from io import BufferedIOBase
from typing import IO, Any, cast

__all__ = ["is_aes", "open_aes"]

_METHOD, _EXTRA = 99, 0x9901
_LOCAL = struct.Struct("<26xHH")  # the lengths of the name and of the extra field
_FIELD, _AES = struct.Struct("<HH"), struct.Struct("<H2sBH")
_KEY_BYTES = {1: 16, 2: 24, 3: 32}
_ITERATIONS, _CHECK, _SEAL, _BLOCK = 1000, 2, 10, 16
_AE1 = 1  # the version that also tells the checksum of what was packed


def is_aes(info: zipfile.ZipInfo) -> bool:
    """Say whether a member is encrypted so."""
    return info.compress_type == _METHOD


def open_aes(archive: IO[bytes], info: zipfile.ZipInfo, password: bytes) -> IO[bytes]:
    """Return a member's contents, deciphered and unpacked as they are read.

    Args:
        archive: The whole archive; what is returned reads it too, so read one member at a time.
        info: The member.
        password: As the packing program encoded it.

    Raises:
        RuntimeError: The password is wrong, in zipfile's words.
        zipfile.BadZipFile: The member says nothing of its cipher; or, on reading, the bytes are not
            those that were sealed.
    """
    version, strength, method = _parameters(info)
    size = _KEY_BYTES[strength]
    archive.seek(info.header_offset)
    name, extra = _LOCAL.unpack(archive.read(_LOCAL.size))
    archive.seek(name + extra, 1)
    salt, check = archive.read(size // 2), archive.read(_CHECK)
    keys = hashlib.pbkdf2_hmac("sha1", password, salt, _ITERATIONS, 2 * size + _CHECK)
    if keys[2 * size :] != check:
        raise RuntimeError(f"Bad password for file {info.filename!r}")
    left = info.compress_size - len(salt) - _CHECK - _SEAL
    plain = _Deciphered(archive, left, keys[:size], keys[size : 2 * size])
    inner = copy(info)
    inner.compress_type, inner.compress_size = method, left
    if version != _AE1:
        del inner.CRC  # is zero; the seal serves in its place
    return cast("IO[bytes]", zipfile.ZipExtFile(cast("IO[bytes]", plain), "r", inner))


def _parameters(info: zipfile.ZipInfo) -> tuple[int, int, int]:
    """Return version, strength and the method by which the member was packed."""
    extra, at = info.extra, 0
    while at + _FIELD.size <= len(extra):
        kind, size = _FIELD.unpack_from(extra, at)
        at += _FIELD.size
        if kind == _EXTRA and size >= _AES.size and at + _AES.size <= len(extra):
            version, _, strength, method = _AES.unpack_from(extra, at)
            if strength in _KEY_BYTES:
                return version, strength, method
        at += size
    raise zipfile.BadZipFile(f"{info.filename}: no known cipher")


class _Deciphered(BufferedIOBase):
    """Reads ``left`` bytes of a file through the cipher, and the seal after them."""

    def __init__(self, file: IO[bytes], left: int, key: bytes, seal_key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import ECB

        if left < 0:
            raise zipfile.BadZipFile("encrypted member without contents")
        # Counted with the least byte first, which no library's counter mode does.
        self._cipher: Any = Cipher(AES(key), ECB()).encryptor()  # noqa: S305
        self._seal = hmac.new(seal_key, digestmod=hashlib.sha1)
        self._file, self._left = file, left
        self._count, self._stream = 1, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to ``size`` bytes.

        Raises:
            zipfile.BadZipFile: The end has come, and the seal is another.
        """
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        packed = self._file.read(wanted)
        if len(packed) < wanted:
            raise zipfile.BadZipFile("encrypted member is cut off")
        self._left -= wanted
        self._seal.update(packed)
        ends = wanted and not self._left
        if ends and self._file.read(_SEAL) != self._seal.digest()[:_SEAL]:
            raise zipfile.BadZipFile("encrypted member is not as it was sealed")
        return self._xor(packed)

    def _xor(self, data: bytes) -> bytes:
        missing = len(data) - len(self._stream)
        blocks = -(-missing // _BLOCK)
        if blocks > 0:
            counted = range(self._count, self._count + blocks)
            counters = b"".join(number.to_bytes(_BLOCK, "little") for number in counted)
            self._stream += self._cipher.update(counters)
            self._count += blocks
        mask, self._stream = self._stream[: len(data)], self._stream[len(data) :]
        mixed = int.from_bytes(data, "little") ^ int.from_bytes(mask, "little")
        return mixed.to_bytes(len(data), "little")
