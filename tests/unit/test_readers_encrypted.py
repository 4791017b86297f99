"""Files under a password: opened with the right one, and honest about it without."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from base64 import b64encode
from io import BytesIO

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from msoffcrypto.format.ooxml import OOXMLFile

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions, Sample
from wenqu.readers import default_readers
from wenqu.readers.detect import sample
from wenqu.readers.office.encrypted import EncryptedReader, decrypt

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
TEXT = "合同金额为壹佰万元。"
SALT, VECTOR = b"s" * 16, b"v" * 16
MANIFEST = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"


def docx() -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{TYPES}"/>')
        archive.writestr(
            "word/document.xml",
            f'<w:document xmlns:w="{WORD}"><w:body><w:p><w:r><w:t>{TEXT}</w:t></w:r></w:p>'
            "</w:body></w:document>",
        )
        # The encrypter writes packages below 4 KiB wrongly.
        archive.writestr("word/media/image1.png", bytes(range(256)) * 40)
    return target.getvalue()


def encrypted(password: str) -> bytes:
    target = BytesIO()
    OOXMLFile(BytesIO(docx())).encrypt(password, target)
    return target.getvalue()


def read(data: bytes, *passwords: str) -> str:
    options = ReadOptions(passwords=passwords)
    return EncryptedReader(default_readers).read(data, "合同.docx", options).text


def test_an_encrypted_office_file_is_known_by_its_streams() -> None:
    found = sample("合同.docx", BytesIO(encrypted("a")))
    assert EncryptedReader(default_readers).accepts(found)
    assert not EncryptedReader(default_readers).accepts(Sample(name="a.docx", head=b"PK"))


def test_it_opens_with_the_password_that_fits_among_several() -> None:
    assert read(encrypted("芝麻开门"), "wrong", "芝麻开门") == TEXT


def test_it_opens_unasked_with_the_password_that_programs_use_for_nothing() -> None:
    assert read(encrypted("VelvetSweatshop")) == TEXT


def test_without_a_password_it_asks_for_one() -> None:
    with pytest.raises(ReadError) as caught:
        read(encrypted("secret"))
    assert caught.value.key == "read.encrypted"


def test_with_wrong_passwords_it_says_that_none_fits() -> None:
    with pytest.raises(ReadError) as caught:
        read(encrypted("secret"), "a", "b")
    assert caught.value.key == "read.password"
    assert "secret" not in str(caught.value)


def test_a_damaged_one_says_so() -> None:
    data = encrypted("secret").replace(b"keyData", b"keyDuta")
    with pytest.raises(ReadError) as caught:
        read(data, "secret")
    assert caught.value.key == "read.damaged"


def test_each_password_tried_restarts_the_clock() -> None:
    calls: list[str] = []
    options = ReadOptions(passwords=("a", "b"), alive=lambda: calls.append("alive"))
    with pytest.raises(ReadError):
        decrypt(encrypted("secret"), "x", options)
    assert len(calls) >= 2


def test_a_file_without_encryption_comes_back_as_it_is() -> None:
    assert decrypt(docx(), "x") == docx()
    assert decrypt(odt({"content.xml": b"<a/>"}, ""), "x") == odt({"content.xml": b"<a/>"}, "")


def odt(parts: dict[str, bytes], entries: str) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        for name, data in parts.items():
            archive.writestr(name, data)
        archive.writestr(
            "META-INF/manifest.xml", f'<m:manifest xmlns:m="{MANIFEST}">{entries}</m:manifest>'
        )
    return target.getvalue()


def content() -> bytes:
    office = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
    text = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
    return (
        f'<o:document-content xmlns:o="{office}" xmlns:t="{text}"><o:body><o:text><t:p>{TEXT}</t:p>'
        "</o:text></o:body></o:document-content>"
    ).encode()


def entry(
    part: str, cipher: str, derivation: str, checksum: str = "", start: str = "sha256"
) -> str:
    return (
        f'<m:file-entry m:full-path="{part}"><m:encryption-data {checksum}>'
        f'<m:algorithm m:algorithm-name="{cipher}" '
        f'm:initialisation-vector="{b64encode(VECTOR[: 12 if "gcm" in cipher else 16]).decode()}"/>'
        f'<m:key-derivation {derivation} m:key-size="32" m:salt="{b64encode(SALT).decode()}"/>'
        f'<m:start-key-generation m:start-key-generation-name="#{start}" m:key-size="32"/>'
        "</m:encryption-data></m:file-entry>"
    )


def encrypted_odt(password: str) -> bytes:
    """Encrypt as LibreOffice did until 24.2: each part alone, PBKDF2 and AES in CBC mode."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(content()) + packer.flush()
    start = hashlib.sha256(password.encode()).digest()
    key = hashlib.pbkdf2_hmac("sha1", start, SALT, 1000, 32)
    padding = 16 - len(packed) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(VECTOR)).encryptor()
    data = encryptor.update(packed + bytes(padding - 1) + bytes([padding])) + encryptor.finalize()
    digest = b64encode(hashlib.sha256(packed[:1024]).digest()).decode()
    checksum = f'm:checksum-type="#sha256-1k" m:checksum="{digest}"'
    derivation = 'm:key-derivation-name="PBKDF2" m:iteration-count="1000"'
    return odt({"content.xml": data}, entry("content.xml", "#aes256-cbc", derivation, checksum))


def wholly_encrypted_odt(password: str) -> bytes:
    """Encrypt as LibreOffice does since 24.2: the package, Argon2id and AES in GCM mode."""
    start = hashlib.sha256(password.encode()).digest()
    key = Argon2id(salt=SALT, length=32, iterations=1, lanes=1, memory_cost=64).derive(start)
    data = VECTOR[:12] + AESGCM(key).encrypt(VECTOR[:12], odt({"content.xml": content()}, ""), None)
    derivation = (
        'm:key-derivation-name="urn:argon2id" m:argon2-iterations="1" m:argon2-memory="64" '
        'm:argon2-lanes="1"'
    )
    return odt({"encrypted-package": data}, entry("encrypted-package", "#aes256-gcm", derivation))


@pytest.mark.parametrize("make", [encrypted_odt, wholly_encrypted_odt])
def test_open_documents_open_with_their_password_and_only_so(make: object) -> None:
    assert callable(make)
    data = make("芝麻")
    known = sample("a.odt", BytesIO(data))
    reader = next(reader for reader in default_readers() if reader.accepts(known))
    assert reader.read(data, "a.odt", ReadOptions(passwords=("no", "芝麻"))).text == TEXT
    for passwords, key in (((), "read.encrypted"), (("no",), "read.password")):
        with pytest.raises(ReadError) as caught:
            reader.read(data, "a.odt", ReadOptions(passwords=passwords))
        assert caught.value.key == key


def test_a_key_that_would_take_hours_to_make_is_refused() -> None:
    derivation = 'm:key-derivation-name="PBKDF2" m:iteration-count="9999999999"'
    data = odt({"content.xml": b"x" * 32}, entry("content.xml", "#aes256-cbc", derivation))
    with pytest.raises(ReadError) as caught:
        decrypt(data, "a.odt", ReadOptions(passwords=("a",)))
    assert caught.value.key == "read.damaged"
