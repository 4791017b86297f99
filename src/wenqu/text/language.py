"""Which of wenqu's languages a text is in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wenqu.types import Language

__all__ = ["detect"]

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LATIN_WORD = re.compile("[A-Za-z\u00c0-\u024f]+")
_SAMPLE = 20_000

# A Chinese word is 1.5 to 2 characters.
_HAN_PER_WORD = 1.7
# Technical Chinese is full of English names and commands, so a fifth of Chinese words makes a text
# Chinese; but where English comes in sentences, which function words betray, half is needed.
_SHARE_AMONG_NAMES = 0.2
_SHARE_AMONG_SENTENCES = 0.5
_FUNCTION_WORDS = frozenset(
    """
    a an and are as at be by can did do does for from have how i in is it its may not of on or
    should than that the their there these this those to was were what when where which who why
    will with would you your
    """.split()  # noqa: SIM905
)
_FUNCTION_SHARE = 0.25


def detect(text: str) -> Language:
    """Return "zh" or "en", whichever a reader would say ``text`` is written in.

    Looks at the first 20,000 characters. A text with neither Han characters nor Latin words is
    "en", as is an empty one.
    """
    sample = text[:_SAMPLE]
    chinese = len(_HAN.findall(sample)) / _HAN_PER_WORD
    if not chinese:
        return "en"
    latin = _LATIN_WORD.findall(sample)
    function_words = sum(word.lower() in _FUNCTION_WORDS for word in latin)
    in_sentences = function_words > _FUNCTION_SHARE * len(latin)
    needed = _SHARE_AMONG_SENTENCES if in_sentences else _SHARE_AMONG_NAMES
    return "zh" if chinese >= needed * (chinese + len(latin)) else "en"
