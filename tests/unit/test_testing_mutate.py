from __future__ import annotations

import io
import zipfile
from random import Random
from typing import TYPE_CHECKING

from wenqu.testing.mutate import damaged, mutate

if TYPE_CHECKING:
    from pathlib import Path


def seeded(number: int) -> Random:
    return Random(number)  # noqa: S311  # to be repeated, not to be secret


def made(folder: Path) -> list[Path]:
    text, packed = folder / "a.txt", folder / "b.docx"
    text.write_text("1 2 3 <a>four</a> 五\n" * 50, "utf-8")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", "<w:p>" * 50)
        archive.writestr("mimetype", "made")
    return [text, packed]


def test_a_case_is_the_same_file_each_time(tmp_path: Path) -> None:
    files = made(tmp_path)
    cases = [damaged(files, 7, number) for number in range(50)]
    assert cases == [damaged(files, 7, number) for number in range(50)]
    assert len(set(cases)) > 40


def test_most_cases_are_damaged(tmp_path: Path) -> None:
    cases = [damaged(made(tmp_path), 7, number) for number in range(200)]
    assert sum(path.read_bytes() != data for path, data in cases) > 160


def test_some_packages_are_whole_but_for_their_members(tmp_path: Path) -> None:
    packed = made(tmp_path)[1].read_bytes()
    inside = whole = 0
    for number in range(100):
        data = mutate(packed, packed, seeded(number))
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                sound = archive.testzip() is None
                content = archive.read("word/document.xml")
        except (zipfile.BadZipFile, KeyError, ValueError, RuntimeError, OSError):
            continue
        whole += sound
        inside += sound and content != b"<w:p>" * 50
    assert whole > 20
    assert inside > 10


def test_nothing_grows_without_bound_and_empty_files_stay_files() -> None:
    for number in range(200):
        assert len(mutate(b"<a>" * 1000, b"", seeded(number))) <= 4 << 20
        assert isinstance(mutate(b"", b"", seeded(number)), bytes)
