"""Numbers, dates and names: what an answer must not have from anywhere but its evidence.

What an answer says is read strictly (一些 holds no number), what a passage says is read widely, so
that what is found missing is missing.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from wenqu.text.normalize import fold
from wenqu.text.numbers import DIGITS, ORDINALS, WORD_SCALES, Number, blanked, dates, numbers
from wenqu.text.tokenize import terms

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Fact", "Known", "altered", "facts", "lists_as_many", "missing_share"]

_VERSION = re.compile(r"(?<![\w.])\d+(?:\.\d+){2,}(?![\w.])")
_MEASURES = (
    "天日年月周岁个位名人次种项条章节款件张份本部台辆架座间层级倍元块美秒点时里米公吨斤克升度代届期集首"
    "篇页卷号组队家所支只头匹艘%"
)
_MEASURES_OF_MORE = ("分钟", "小时", "星期", "英")
_LIST_MARK = re.compile(r"\s*(?:[-*+•]\s+)?(?:[(（]?\d{1,3}(?:[.、)）](?!\d))|#{1,6})\s*")
_CODE = re.compile(r"(?<![\w])[A-Za-z][A-Za-z0-9]*(?:[-_./'’&+:@]+[A-Za-z0-9]+)*(?:\+\+|#)?")
_TITLED = re.compile(r"《([^《》\n]{1,40})》")
_BEGINS = frozenset(".!?:;。！？：；\"“”'‘(（[-–—*•#>|\n")
_NO_NAMES = frozenset(
    """
    i i'm the a an in on at it its this that these those he she they we you there yes no not and
    or but if for as to of by with from so mr mrs ms dr etc am pm ad bc
    """.split()  # noqa: SIM905
)
# The dictionary takes half of its people (nr) and some of its places (ns) from common words.
_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁任沈"
    "姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
_NO_PLACES = frozenset(
    """
    东西 城市 都市 巴士 青云 加盟 英雄 太阳 长寿 美甲 上市 美丽 长度 阴阳
    朝廷 商城 嘉宾 外国 亚科 之日起 南路 东北 西北 东南 西南 西站 东部 西部
    南部 北部 城区 地区 内地 本地 当地 国家 世界 全国 海外
    """.split()  # noqa: SIM905
)
_WORD_AFTER = re.compile(r"[ -]?([%°℃]|[^\W\d_a-zA-Z]|[a-zA-Z]+)")
_WORD_BEFORE = re.compile(r"([^\W\d_a-zA-Z]|[a-zA-Z]+)[ -]?$")
_NOT_AFTER_DIGIT, _NOT_BEFORE_DIGIT = r"(?<!\d)(?<!\d[.,])", r"(?![.,]?\d)"
_JOINED = re.compile(r"\s*,\s*(?:and|or)\s+|\s+(?:and|or)\s+|\s*[,、和与及]\s*", re.IGNORECASE)
_NO_DATE = (0, 0, 0)
_LONG_NAME = 3
_LONGEST_UNIT = 4
_SHORTEST_CERTAIN = 3  # 二〇二四, 两千万


@dataclass(frozen=True, slots=True)
class Fact:
    """A number, date or name as it stands in a text (NFKC), with what it means.

    ``values`` are what a number may mean, the first as written (1.5万 is 15000, or 1.5 in a table
    whose unit is 万). ``date`` is year, month and day, 0 where it does not say.
    """

    kind: Literal["number", "date", "name"]
    text: str
    values: tuple[Fraction, ...] = ()
    date: tuple[int, int, int] = (0, 0, 0)


def facts(text: str) -> list[Fact]:
    """Return the numbers and dates, then the names, that a sentence of an answer claims."""
    text = unicodedata.normalize("NFKC", text)
    mark = _LIST_MARK.match(text)
    text = text[mark.end() :] if mark else text
    found: list[Fact] = []
    rest = text
    for match, date in dates(text):
        found.append(Fact("date", match[0], date=date))
        rest = blanked(rest, match.start(), match.end())
    names = list(_latin_names(text))
    for start, end, name in names:
        found.append(Fact("name", name))
        rest = blanked(rest, start, end)
    for number in numbers(rest):
        if _is_claim(rest, number):
            values = tuple(dict.fromkeys((number.value, number.bare)))
            found.append(Fact("number", rest[number.start : number.end].strip(), values=values))
    found.extend(Fact("name", name) for name in _han_names(text))
    unique = dict.fromkeys(found)
    return sorted(unique, key=lambda fact: fact.kind == "name")


class Known:
    """What a passage holds, to look facts up in.

    Args:
        passage: Any text, with its title and headings where they are to count.
    """

    def __init__(self, passage: str) -> None:
        text = unicodedata.normalize("NFKC", passage)
        self._dates = []
        rest = text
        for match, date in dates(text):
            self._dates.append(date)
            rest = blanked(rest, match.start(), match.end())
        found = list(numbers(rest))
        self._values = {number.value for number in found}
        self._values |= {Fraction(part) for year, _, day in self._dates for part in (year, day)}
        self._bare = {number.bare for number in found}
        self._unscaled = {number.bare for number in found if number.bare == number.value}
        self._folded = " ".join(fold(passage).split())
        self._terms = frozenset(terms(passage))

    def has(self, fact: Fact) -> bool:
        """Say whether the passage has a fact, however it writes it."""
        if fact.kind == "number":
            return self._has_number(fact)
        if fact.kind == "date":
            return any(self._agrees(fact.date, date) for date in self._dates)
        return fold(fact.text) in self._folded or self._has_words(fact.text)

    def _has_number(self, fact: Fact) -> bool:
        value, *bare = fact.values
        if value in self._values:
            return True
        return bare[0] in self._unscaled if bare else value in self._bare

    def _agrees(self, said: tuple[int, int, int], date: tuple[int, int, int]) -> bool:
        """Say whether a date of the passage is the one that was said.

        3月5日 is 2024年3月5日 where the passage has that year elsewhere.
        """
        for one, other in zip(said, date, strict=True):
            if one and other and one != other:
                return False
        return all(
            other or not one or Fraction(one) in self._values
            for one, other in zip(said, date, strict=True)
        )

    def _has_words(self, name: str) -> bool:
        said = terms(name)
        return name.isascii() and bool(said) and self._terms.issuperset(said)


def missing_share(sentence: str, passage: str) -> float:
    """Return the share of a sentence's numbers and dates that a passage does not have."""
    counted = [fact for fact in facts(sentence) if fact.kind != "name"]
    known = Known(passage) if counted else None
    return sum(not known.has(fact) for fact in counted) / len(counted) if known else 0.0


def altered(said: str, fact: Fact, passage: str) -> bool:
    """Say whether a passage has another number or date where a sentence has this one.

    That is, between the same words (the word after it, or the one before where none follows), where
    the passage does not have this one too. One that the sentence has elsewhere is no other.
    """
    said, passage = (unicodedata.normalize("NFKC", text) for text in (said, passage))
    places, known = _places(said, fact), Known(said)
    offered = facts(passage)
    if not places or any(fact.values and fact.values[0] in other.date for other in offered):
        return False
    there = [
        other for other in offered if other.kind == fact.kind and places & _places(passage, other)
    ]
    same = any(
        set(fact.values) & set(other.values) or fact.date == other.date != _NO_DATE
        for other in there
    )
    return not same and any(not known.has(other) for other in there)


def lists_as_many(said: str, fact: Fact) -> bool:
    """Say whether a number is that of the things that a sentence lists: ``A and B are the two``."""
    return fact.kind == "number" and fact.values[0] == len(_JOINED.findall(said)) + 1 > 1


def _places(text: str, fact: Fact) -> set[str]:
    """Return the words or units after a fact, where it stands, or the word before it if none is.

    The 15 of 158 is no 15.
    """
    places = set()
    for found in re.finditer(_NOT_AFTER_DIGIT + re.escape(fact.text) + _NOT_BEFORE_DIGIT, text):
        if follows := _WORD_AFTER.match(text, found.end()):
            places.add(f"… {follows[1].casefold()}")
        elif precedes := _WORD_BEFORE.search(text[: found.start()]):
            places.add(f"{precedes[1].casefold()} …")
    return places


def _is_claim(text: str, number: Number) -> bool:
    """Say whether a number is one that a writer counts or measures with."""
    said = text[number.start : number.end]
    if number.kind == "digits":
        return True
    if number.kind == "words":
        said = said.lower()
        return number.value > 1 and said not in ORDINALS and said not in WORD_SCALES
    before, after = text[: number.start], text[number.end :]
    if before.endswith("第"):
        return True
    if number.value <= 1 or (said[0] not in DIGITS and said[0] != "十"):
        return False
    if len(said) >= _SHORTEST_CERTAIN and "两两" not in said:
        return True
    return after.lstrip()[:1] in set(_MEASURES) or after.lstrip().startswith(_MEASURES_OF_MORE)


def _latin_names(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield codes, and capitalised words that do not just begin a sentence."""
    for match in _VERSION.finditer(text):
        yield match.start(), match.end(), match[0]
    chinese = any("\u4e00" <= character <= "\u9fff" for character in text)
    for match in _CODE.finditer(text):
        word = re.sub(r"['’]s$", "", match[0])
        before = text[: match.start()].rstrip(" ")
        if word.lower() in _NO_NAMES or len(word) < 2:  # noqa: PLR2004
            continue
        if before[-1:].isdigit() and len(word) <= _LONGEST_UNIT:  # 5 km
            continue
        odd = any(c.isdigit() for c in word) or any(c.isupper() for c in word[1:])
        begins = not before or before[-1] in _BEGINS
        if odd or chinese or (word[0].isupper() and not begins):
            yield match.start(), match.start() + len(word), word


def _han_names(text: str) -> Iterator[str]:
    """Yield what 《》 encloses, and the people, places and bodies that the dictionary knows.

    Names that no dictionary has are found where it takes each of their characters for a surname or
    given name; others are not found.
    """
    for match in _TITLED.finditer(text):
        yield match[1]
    run = ""
    for word, tag in [*_tagged(_TITLED.sub(" ", text)), ("", "")]:
        if tag == "nr" and len(word) == 1:
            run += word
            continue
        if len(run) > 1 and run[0] in _SURNAMES:
            yield run
        run = ""
        if _is_name(word, tag):
            yield word


def _is_name(word: str, tag: str) -> bool:
    if tag == "ns":
        return len(word) > 1 and word not in _NO_PLACES
    if tag in {"nr", "nrfg"}:
        return len(word) >= _LONG_NAME and word[0] in _SURNAMES
    return tag == "nt" or (tag == "nrt" and len(word) >= _LONG_NAME)


def _tagged(text: str) -> list[tuple[str, str]]:
    import rjieba  # 0.2 s, so only once something is looked at

    # As in text.tokenize, without the hidden Markov model: it joins 赵鹏于 in 赵鹏于1997年.
    pairs: list[tuple[str, str]] = rjieba.tag(text, False)  # noqa: FBT003
    return pairs
