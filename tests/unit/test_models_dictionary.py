"""The dictionary between Chinese and English."""

from __future__ import annotations

import gzip
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ModelError
from wenqu.models.catalog import find
from wenqu.models.dictionary import Cedict, open_dictionary
from wenqu.models.fetch import footprint

if TYPE_CHECKING:
    from pathlib import Path

LINES = """\
# CC-CEDICT
禁運 禁运 [jin4 yun4] /embargo/export ban/
貿易 贸易 [mao4 yi4] /(commercial) trade/CL:個|个[ge4]/
古巴 古巴 [Gu3 ba1] /Cuba/
核反應堆 核反应堆 [he2 fan3 ying4 dui1] /nuclear reactor/
反應堆 反应堆 [fan3 ying4 dui1] /reactor/
行 行 [hang2] /row/
行 行 [xing2] /to walk/
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cc-cedict.txt.gz"
    path.write_bytes(gzip.compress(LINES.encode()))
    return path


@pytest.fixture
def dictionary(path: Path) -> Cedict:
    return Cedict(path, "cc-cedict")


def test_a_chinese_question_is_said_in_english(dictionary: Cedict) -> None:
    assert dictionary.translate("对古巴的贸易禁运是什么时候开始的？") == (
        (("cuba",),),
        (("trade",),),
        (("embargo",), ("export", "ban")),
    )


def test_an_english_question_is_said_in_chinese(dictionary: Cedict) -> None:
    said = dictionary.translate("When did the embargo on nuclear reactors begin?")
    assert said == ((("禁运",),), (("核反应堆",),))


def test_a_word_of_two_readings_has_the_meanings_of_both(dictionary: Cedict) -> None:
    assert dictionary.translate("行") == ((("row",), ("walk",)),)


def test_a_question_of_unknown_words_is_not_said(dictionary: Cedict) -> None:
    assert dictionary.translate("格兰达克里琪") == ()
    assert dictionary.translate("Glumdalclitch") == ()
    assert dictionary.translate("?") == ()


def test_a_question_of_thousands_of_words_is_looked_up(dictionary: Cedict) -> None:
    assert dictionary.translate("古巴，" + "贸易和禁运" * 800)[0] == (("cuba",),)


def test_the_file_that_is_looked_up_is_made_once_and_counted_with_the_dictionary(
    path: Path, dictionary: Cedict
) -> None:
    dictionary.prepare()
    made = next(path.parent.glob("*.sqlite"))
    before = made.stat().st_mtime_ns
    Cedict(path, "cc-cedict").prepare()
    assert made.stat().st_mtime_ns == before
    assert made in footprint(find("cc-cedict"), path.parent)


def test_threads_may_ask_at_once(dictionary: Cedict) -> None:
    with ThreadPoolExecutor(4) as pool:
        said = set(pool.map(dictionary.translate, ["Cuba"] * 20))
    assert said == {((("古巴",),),)}


def test_a_damaged_file_that_was_made_is_made_anew(path: Path, dictionary: Cedict) -> None:
    dictionary.prepare()
    next(path.parent.glob("*.sqlite")).write_bytes(b"no database" * 1000)
    other = Cedict(path, "cc-cedict")
    with pytest.raises(ModelError, match="dictionary"):
        other.translate("Cuba")
    assert other.translate("Cuba") == ((("古巴",),),)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"\xff\xfe\n")])
def test_a_damaged_dictionary_is_an_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cc-cedict"):
        Cedict(path, "cc-cedict").prepare()
    assert list(path.parent.glob("*.sqlite")) == []


def test_only_what_is_on_this_machine_is_opened(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    here = replace(find("cc-cedict"), size=len(content), sha256=hashlib.sha256(content).hexdigest())
    found = open_dictionary(here, tmp_path)
    assert found is not None
    assert found.translate("Cuba") == ((("古巴",),),)
    assert open_dictionary(here, tmp_path / "elsewhere") is None
