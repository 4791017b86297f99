"""OpenDocument files under a password: each part encrypted alone, or the package as a whole.

Source: OpenDocument 1.3, part 2, 4.8 and 5; for whole packages (LibreOffice 24.2 and later) the
extension of that specification which LibreOffice documents in its manifest schema.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from base64 import b64decode
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.readers.office.package import Package, attribute, tag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

    from wenqu.protocols import ReadOptions

__all__ = ["decrypt_open_document"]

_MANIFEST = "META-INF/manifest.xml"
_WHOLE = "encrypted-package"
_CHECKED_BYTES = 1024
_MAX_ROUNDS = 10_000_000
_MAX_MEMORY_KB = 1 << 20
_MAX_BYTES = 512 << 20
_GCM_IV, _GCM_TAG = 12, 16


@dataclass(frozen=True, slots=True)
class _Lock:
    """How one part is encrypted."""

    part: str
    cipher: str
    vector: bytes
    salt: bytes
    derivation: str
    rounds: int
    key_bytes: int
    start: str
    checksum: bytes
    checksum_kind: str
    memory_kb: int = 0
    lanes: int = 0


def decrypt_open_document(data: bytes, source: str, options: ReadOptions) -> bytes:
    """Return an OpenDocument file without its encryption; any other package as it is.

    Raises:
        ReadError: It asks for a password, none of those given fits, or its encryption is not known.
    """
    package = Package(data, source)
    manifest = package.optional_xml(_MANIFEST)
    try:
        locks = list(_locks(manifest)) if manifest is not None else []
        if not locks:
            return data
        for password in options.passwords:
            if (plain := _opened(package, locks, password)) is not None:
                return plain
            options.alive()
    except (ValueError, zlib.error, OverflowError) as error:
        raise ReadError("read.damaged", source=source, reason=str(error)) from error
    raise ReadError("read.password" if options.passwords else "read.encrypted", source=source)


def _locks(manifest: Element) -> Iterator[_Lock]:
    for entry in manifest.iter():
        if tag(entry) != "manifest:encryption-data":
            continue
        holder = entry.getparent()
        found = {tag(part): part for part in entry if isinstance(part.tag, str)}
        cipher = found.get("manifest:algorithm")
        key = found.get("manifest:key-derivation")
        start = found.get("manifest:start-key-generation")
        if holder is None or cipher is None or key is None:
            continue
        yield _Lock(
            part=attribute(holder, "full-path") or "",
            cipher=attribute(cipher, "algorithm-name") or "",
            vector=b64decode(attribute(cipher, "initialisation-vector") or ""),
            salt=b64decode(attribute(key, "salt") or ""),
            derivation=attribute(key, "key-derivation-name") or "",
            rounds=int(
                attribute(key, "iteration-count") or attribute(key, "argon2-iterations") or 0
            ),
            key_bytes=int(attribute(key, "key-size") or 16),
            start=(attribute(start, "start-key-generation-name") if start is not None else "")
            or "",
            checksum=b64decode(attribute(entry, "checksum") or ""),
            checksum_kind=attribute(entry, "checksum-type") or "",
            memory_kb=int(attribute(key, "argon2-memory") or 0),
            lanes=int(attribute(key, "argon2-lanes") or 0),
        )


def _opened(package: Package, locks: list[_Lock], password: str) -> bytes | None:
    plain: dict[str, bytes] = {}
    for lock in locks:
        if lock.part not in package:
            continue
        part = _unlocked(package.read(lock.part), lock, password)
        if part is None:
            return None
        if lock.part == _WHOLE:
            return part
        plain[lock.part] = part
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in package.names:
            if name != _MANIFEST and not name.endswith("/"):
                archive.writestr(name, plain[name] if name in plain else package.read(name))
    return target.getvalue()


def _unlocked(data: bytes, lock: _Lock, password: str) -> bytes | None:
    """Return one part's bytes, None where the password does not fit."""
    key = _key(lock, password)
    if "gcm" in lock.cipher:
        packed = _gcm(data, lock, key)
    elif "blowfish" in lock.cipher.lower():
        packed = _blowfish(data, lock, key)
    elif "aes" in lock.cipher:
        packed = _cbc(data, lock, key)
    else:
        raise ValueError(f"unknown encryption {lock.cipher}")
    if packed is None or not _fits(packed, lock):
        return None
    return packed if packed.startswith(b"PK\x03\x04") else _inflated(packed)


def _key(lock: _Lock, password: str) -> bytes:
    if not 0 < lock.rounds <= _MAX_ROUNDS or lock.memory_kb > _MAX_MEMORY_KB:
        raise ValueError("the key takes too long to make")
    modern = "sha256" in lock.start
    start = hashlib.new("sha256" if modern else "sha1", password.encode()).digest()
    if "argon2id" in lock.derivation:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        return Argon2id(
            salt=lock.salt, length=lock.key_bytes, iterations=lock.rounds,
            lanes=lock.lanes, memory_cost=lock.memory_kb,
        ).derive(start)  # fmt: skip
    return hashlib.pbkdf2_hmac("sha1", start, lock.salt, lock.rounds, lock.key_bytes)


def _cbc(data: bytes, lock: _Lock, key: bytes) -> bytes | None:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    decryptor = Cipher(algorithms.AES(key), modes.CBC(lock.vector)).decryptor()
    plain = decryptor.update(data) + decryptor.finalize()
    padding = plain[-1] if plain else 0
    return plain[:-padding] if 0 < padding <= len(lock.vector) else None


def _blowfish(data: bytes, lock: _Lock, key: bytes) -> bytes:
    from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
    from cryptography.hazmat.primitives.ciphers import Cipher

    decryptor = Cipher(Blowfish(key), CFB(lock.vector)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def _gcm(data: bytes, lock: _Lock, key: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    vector = lock.vector or data[:_GCM_IV]
    body = data.removeprefix(vector)
    if len(body) < _GCM_TAG:
        return None
    try:
        return AESGCM(key).decrypt(vector, body, None)
    except InvalidTag:
        return None


def _fits(packed: bytes, lock: _Lock) -> bool:
    """Compare the checksum that a part has of its first KiB; without one there is no telling."""
    if not lock.checksum:
        return True
    kind = lock.checksum_kind.lower()
    checked = packed[:_CHECKED_BYTES] if "1k" in kind else packed
    return hashlib.new("sha256" if "sha256" in kind else "sha1", checked).digest() == lock.checksum


def _inflated(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    data = unpacker.decompress(packed, _MAX_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError("a part unpacks to more than any document's")
    return data
