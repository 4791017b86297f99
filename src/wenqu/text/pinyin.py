"""Chinese names as another script spells them: ``Zhu Zaizhen`` is how 朱载圳 sounds.

Names are what an embedder knows least, and what a question in English and a text in Chinese do not
share. The terms of a Chinese text hold a name whole or in pairs of neighbouring characters, so a
pair of syllables is looked up as all the terms that sound like it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from wenqu.text.query import query_terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Sound", "sounds"]

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_POSSESSIVE = re.compile(r"['’]s\b")
_APART = re.compile(r"[ -]")
_MARKS = re.compile("[\u0300-\u0307\u0309-\u036f]")
"""Tones; not the dots of ü, which are another letter."""
_LONGEST_WORD = 24
_LONGEST_SYLLABLE = 6
_LENGTHS = (2, 3)
"""Characters of a term: a pair, or a word of three that a dictionary has, as 毛泽东."""
_LOOK_UPS = 20_000
"""Terms that one question may have looked up, 0.6 µs each; two syllables have some 400."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Two or three syllables in a row.

    ``words`` are the terms of the words that spell them, unless each is written as a name is: an
    index that knows all of them needs no other reading.
    """

    syllables: tuple[str, ...]
    words: frozenset[str]

    def __len__(self) -> int:
        """Return how many terms sound so."""
        return prod(len(_characters()[one]) for one in self.syllables)

    def terms(self) -> Iterator[str]:
        """Yield all that sounds so, a character a syllable."""
        return map("".join, product(*(_characters()[one] for one in self.syllables)))


def sounds(question: str) -> list[Sound]:
    """Return what its words may spell, pairs of syllables first; [] where they spell nothing.

    ``Sun Depei`` gives sun-de, de-pei and sun-de-pei. Many an English word can be read so too
    (``name``), so a sound says which words would be its other meaning.
    """
    found: dict[tuple[str, ...], Sound] = {}
    spelled = list(_spelled(question))
    for length in _LENGTHS:
        for name in spelled:
            for at in range(len(name) - length + 1):
                syllables, words = zip(*name[at : at + length], strict=True)
                found.setdefault(syllables, Sound(syllables, frozenset().union(*words)))
    kept, left = [], _LOOK_UPS
    for sound in found.values():
        if len(sound) <= left:
            kept.append(sound)
            left -= len(sound)
    return kept


def _spelled(question: str) -> Iterator[list[tuple[str, frozenset[str]]]]:
    """Yield syllables in a row, each with the terms of its word unless that is written as a name.

    Words that may be one name are read together, and then alone where there is another way.
    """
    text = _MARKS.sub("", unicodedata.normalize("NFKD", question)).replace("u\u0308", "v")
    text = _POSSESSIVE.sub("", text)
    asked = frozenset(query_terms(text))
    run: list[tuple[str, frozenset[str]]] = []
    last: _Word | None = None
    for match in _WORD.finditer(text):
        word = _Word(match[0], match.start(), match.end())
        if not word.readings or not word.terms <= asked:
            continue
        first, *others = ([(one, word.common) for one in way] for way in word.readings)
        if last and _APART.fullmatch(text, last.end, word.start) and word.follows(last):
            run += first
        else:
            yield run
            run = first
        yield from others
        last = word
    yield run


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a question, and where it begins and ends."""

    text: str
    start: int
    end: int

    @property
    def terms(self) -> frozenset[str]:
        """What an index may know it as."""
        return frozenset(query_terms(self.text))

    @property
    def common(self) -> frozenset[str]:
        """Its terms, unless it is written as a name, which a first word always is."""
        return frozenset() if self.start and self.text[0].isupper() else self.terms

    @property
    def readings(self) -> Sequence[tuple[str, ...]]:
        """The syllables that it may spell, the likeliest first."""
        return _readings(self.text.lower())

    def follows(self, last: _Word) -> bool:
        """Say whether both may be one name: ``Sun Depei``, ``bei jing``, not ``women like``."""
        if self.text[0].isupper() and last.text[0].isupper():
            return True
        return len(self.readings[0]) == len(last.readings[0]) == 1


@lru_cache(maxsize=10_000)
def _readings(word: str) -> Sequence[tuple[str, ...]]:
    """Return the ways to cut a word into syllables, at most two.

    A syllable inside a word that begins with a vowel is set off (``Xi'an``), which leaves one way
    to read it. Many write ``Changan`` all the same, so that both are tried.
    """
    if len(word) > _LONGEST_WORD:
        return ()
    parts = re.split("['’]", word)
    ways = []
    for strict in (True, False):
        read = [_cut(part, strict=strict) for part in parts]
        if all(read):
            ways.append(tuple(one for part in read for one in part))
    return tuple(dict.fromkeys(ways))


def _cut(word: str, *, strict: bool) -> tuple[str, ...]:
    for length in range(min(_LONGEST_SYLLABLE, len(word)), 0, -1):
        first, rest = word[:length], word[length:]
        if first not in _characters() or (strict and rest[:1] in ("a", "e", "o")):
            continue
        if not rest:
            return (first,)
        if after := _cut(rest, strict=strict):
            return (first, *after)
    return ()


@cache
def _characters() -> Mapping[str, str]:
    """Return syllable, without tone → the characters that are read so."""
    lines = Path(__file__).with_name("pinyin.txt").read_text("utf-8").splitlines()
    return dict(line.split(" ") for line in lines if not line.startswith("#"))
