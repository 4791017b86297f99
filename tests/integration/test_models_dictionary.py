"""The dictionary of the catalog, as it is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wenqu.models.catalog import find
from wenqu.models.dictionary import Cedict
from wenqu.models.fetch import pull

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dictionary(models_dir: Path) -> Cedict:
    entry = find("cc-cedict")
    return Cedict(pull(entry, models_dir), entry.name)


@pytest.mark.parametrize(
    ("question", "senses"),
    [
        ("What does the Asian palm civet mainly eat?", {"椰子 猫"}),
        ("What is the greatest advantage of the gas centrifuge method?", {"优点", "气体 离心"}),
        ("Which treaty did Mao Zedong sign?", {"毛泽东", "条约"}),
        ("对古巴的贸易禁运是什么时候开始的？", {"cuba", "trade", "embargo"}),
        ("第一次世界大戰後德國惡性通貨膨脹的原因", {"hyperinfl", "world war one", "germani"}),
    ],
)
def test_real_questions_are_said_in_the_other_language(
    dictionary: Cedict, question: str, senses: set[str]
) -> None:
    found = dictionary.translate(question)
    assert senses <= {" ".join(sense) for word in found for sense in word}
