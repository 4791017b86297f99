from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import NotFoundError, StoreError
from wenqu.stores.blobs import Blobs

if TYPE_CHECKING:
    from pathlib import Path


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "甲.md"
    path.write_bytes("内容".encode())
    return path


def test_a_kept_file_outlives_its_original(tmp_path: Path, file: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    data = file.read_bytes()
    blobs.put(sha256(data), file)
    file.unlink()
    assert Blobs(tmp_path / "blobs").get(sha256(data)) == data


def test_the_same_content_is_kept_once(tmp_path: Path, file: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    key = sha256(file.read_bytes())
    for _ in range(2):
        blobs.put(key, file)
    assert [path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == [key]


def test_what_is_not_kept_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        Blobs(tmp_path / "blobs").get(sha256(b"nothing"))


def test_only_what_is_named_stays(tmp_path: Path, file: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    keys = []
    for data in (b"one", b"two", b"three"):
        file.write_bytes(data)
        keys.append(sha256(data))
        blobs.put(keys[-1], file)
    # What is new may belong to a document that another process has not committed yet.
    assert blobs.keep_only(keys[:1]) == 0
    for path in (tmp_path / "blobs").glob("??/*"):
        os.utime(path, (0, 0))
    assert blobs.keep_only(keys[:1]) == 2
    assert blobs.get(keys[0]) == b"one"
    with pytest.raises(NotFoundError):
        blobs.get(keys[1])
    assert Blobs(tmp_path / "nowhere").keep_only([]) == 0


def test_a_folder_that_cannot_be_written_is_an_error_with_a_hint(
    tmp_path: Path, file: Path
) -> None:
    (tmp_path / "blobs").write_text("a file stands in the way", "utf-8")
    with pytest.raises(StoreError) as caught:
        Blobs(tmp_path / "blobs").put(sha256(file.read_bytes()), file)
    assert caught.value.hint("en")
