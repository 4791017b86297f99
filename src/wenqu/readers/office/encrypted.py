"""Office files under a password: decrypted in memory, then read by the reader of what comes out.

Word, Excel and PowerPoint wrap a modern file whole (``EncryptedPackage``) and encrypt the streams
of an old one in place; OpenDocument is in ``encrypted_open``. Some programs encrypt with a password
that everybody knows, so that a file looks protected and opens without asking: these are tried last.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers import choose, identify
from wenqu.readers.detect import sample
from wenqu.readers.office.encrypted_open import decrypt_open_document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["EncryptedReader", "decrypt"]

# Excel's for files that are only protected against writing, and PowerPoint's.
# Source: [MS-OFFCRYPTO] 2.3.7.1 and Apache POI, Decryptor.DEFAULT_PASSWORD, EncryptionRecord.
_KNOWN_TO_ALL = ("VelvetSweatshop", "/01Hannes Ruescher/01")
_ZIP = b"PK\x03\x04"
# What a decrypter that walks broken structures may trip over.
_BROKEN = (
    OSError, ValueError, struct.error, AssertionError, LookupError, AttributeError, TypeError,
    EOFError, OverflowError, ExpatError,
)  # fmt: skip


class EncryptedReader:
    """Reads a modern Office file under a password.

    Args:
        readers: Returns the readers to choose from for what was inside.
    """

    name = "encrypted/1"

    def __init__(self, readers: Callable[[], Sequence[Reader]]) -> None:
        self._readers = readers

    def accepts(self, sample: Sample) -> bool:
        """Take an Office file that is encrypted as a whole."""
        return sample.container == "encrypted"

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document that the password protects.

        Raises:
            ReadError: None of the passwords fits, or what is inside cannot be read.
        """
        plain = decrypt(data, source, options)
        known = sample(source, BytesIO(plain))
        reader = choose(self._readers(), known)
        # Nothing is encrypted twice but a file that is made to keep a reader busy.
        if reader is None or known.container in {"", "encrypted"}:
            raise ReadError("read.unsupported", source=source, kind=identify(known))
        return reader.read(plain, source, options)


def decrypt(data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> bytes:
    """Return an Office or OpenDocument file, new or old, without its encryption.

    A file that is not encrypted comes back as it is. The passwords of ``options`` are tried in
    order, then those that everybody knows.

    Raises:
        ReadError: It asks for a password (``read.encrypted``), none of those given fits
            (``read.password``), or it is damaged or encrypted in a way that is not known.
    """
    if data.startswith(_ZIP):
        return decrypt_open_document(data, source, options)
    import msoffcrypto
    from msoffcrypto.exceptions import DecryptionError, FileFormatError, ParseError

    try:
        if not msoffcrypto.OfficeFile(BytesIO(data)).is_encrypted():
            return data
        for password in (*options.passwords, *_KNOWN_TO_ALL):
            if password and (plain := _opened(data, password)) is not None:
                return plain
            options.alive()  # a password costs up to a second of hashing, on purpose
    except (FileFormatError, DecryptionError, ParseError) as error:
        raise ReadError("read.unsupported", source=source, kind=str(error)) from error
    except _BROKEN as error:
        raise ReadError("read.damaged", source=source, reason=_reason(error)) from error
    raise ReadError("read.password" if options.passwords else "read.encrypted", source=source)


def _opened(data: bytes, password: str) -> bytes | None:
    """Return the decrypted file, or None where the password does not fit."""
    import msoffcrypto
    from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError
    from msoffcrypto.format.ooxml import OOXMLFile

    file = msoffcrypto.OfficeFile(BytesIO(data))
    plain = BytesIO()
    try:
        if isinstance(file, OOXMLFile):
            file.load_key(password=password, verify_password=True)
        else:
            file.load_key(password=password)
        if not hasattr(file, "type"):  # a method that it knows of and cannot do
            raise FileFormatError("XOR obfuscation")
        file.decrypt(plain)
    except InvalidKeyError:
        return None
    except DecryptionError as error:
        raise FileFormatError(str(error)) from error
    return plain.getvalue()


def _reason(error: BaseException) -> str:
    return f"the encryption cannot be read ({type(error).__name__}: {error})"
