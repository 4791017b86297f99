"""Words of one language as a bilingual dictionary says them in the other.

The dictionary is CC-CEDICT's: a line a Chinese word, with what it means in English. Read the other
way round, a meaning of a few words is an English word or phrase, and the Chinese word what it
means. Both ways a word is given as *senses*: each the terms that say it together, so that any of
them may be looked for in an index.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.text.normalize import simplified
from wenqu.text.query import only_asks, query_terms
from wenqu.text.tokenize import terms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from wenqu.protocols import Sense

__all__ = [
    "LONGEST_PHRASE",
    "asked_phrases",
    "asked_words",
    "chinese_sense",
    "entry",
    "phrases_in",
    "words_in",
]

LONGEST_PHRASE = 5
"""Terms of an English meaning; a longer one explains the word and does not say it."""
_LONGEST_WORD = 10
_ASKED_CHARACTERS = 400
"""Chinese characters of a question that are read as words: a longer one has words enough."""
_ASKED_TERMS = 80

_LINE = re.compile(r"\S+ (\S+) \[[^\]]*\] /(.*)/")
_NO_MEANING = re.compile(
    r"(CL:|variant of|old variant|Japanese variant|archaic variant|erhua|see |used in|same as"
    r"|also written|also pr|Taiwan pr|surname |abbr\. )",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\([^)]*\)|\[[^\]]*\]|\|\S+|\b(?:lit|fig|abbr)\. ")
_EMPTY = re.compile(r"\b(?:sth|sb|etc)\b\.?")
_FIRST = re.compile(r"^(?:(?:to be|to|a|an|the) )+")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+")


def entry(line: str) -> tuple[str, list[tuple[str, ...]]] | None:
    """Return the simplified word of a line and its meanings as terms; None where it has none."""
    match = _LINE.match(line)
    if match is None:
        return None
    meanings = (tuple(query_terms(phrase)) for phrase in _phrases(match[2]))
    found = [one for one in dict.fromkeys(meanings) if 0 < len(one) <= LONGEST_PHRASE]
    return (match[1].translate(simplified()), found) if found else None


def _phrases(meanings: str) -> Iterator[str]:
    for meaning in meanings.split("/"):
        if _NO_MEANING.match(meaning):
            continue
        for phrase in _ASIDE.sub(" ", meaning).split(";"):
            # "Mao Zedong (1893-1976), leader of …": what follows a name tells of it.
            first, *others = phrase.strip().split(",")
            for one in (first,) if first[:1].isupper() else (first, *others):
                bare = _FIRST.sub("", " ".join(_EMPTY.sub(" ", one).split()))
                if bare and not _HAN.search(bare):
                    yield bare


def chinese_sense(word: str) -> Sense:
    """Return the terms that a text with a Chinese word has: the word, or what it is cut into."""
    found = terms(word)
    if word in found:
        return (word,)
    parts = "".join(one for one in found if len(one) > 1)
    return tuple(dict.fromkeys(one for one in found if len(one) > 1 or one not in parts))


def asked_words(question: str) -> set[str]:
    """Return whatever in a Chinese question may be a word."""
    return {
        run[at : at + length]
        for run in _runs(question)
        for at in range(len(run))
        for length in range(1, min(_LONGEST_WORD, len(run) - at) + 1)
    }


def words_in(question: str, known: Collection[str]) -> list[str]:
    """Return the ``known`` words of a Chinese question, each run cut into as few as can be.

    Among cuts of as many words, the one with the longest. Words that only ask are left out.
    """
    found = [word for run in _runs(question) for word in _cut(run, known)]
    return [one for one in dict.fromkeys(found) if one in known and not only_asks(one)]


def _cut(run: str, known: Collection[str]) -> list[str]:
    best: list[tuple[int, int, list[str]]] = [(0, 0, [])]
    for at in reversed(range(len(run))):
        ways = []
        for length in range(1, min(_LONGEST_WORD, len(run) - at) + 1):
            word = run[at : at + length]
            if length == 1 or word in known:
                count, squares, rest = best[len(run) - at - length]
                ways.append((count + 1, squares - length * length, [word, *rest]))
        best.append(min(ways, key=lambda way: way[:2]))
    return best[-1][2]


def _runs(question: str) -> Sequence[str]:
    return _HAN.findall(question[:_ASKED_CHARACTERS].translate(simplified()))


def asked_phrases(question: str) -> set[tuple[str, ...]]:
    """Return whatever in an English question may be a phrase, as terms."""
    asked = query_terms(question)[:_ASKED_TERMS]
    return {
        tuple(asked[at : at + length])
        for at in range(len(asked))
        for length in range(1, min(LONGEST_PHRASE, len(asked) - at) + 1)
    }


def phrases_in(question: str, known: Collection[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the ``known`` phrases of an English question, the longest at each place."""
    asked, at, found = query_terms(question)[:_ASKED_TERMS], 0, []
    while at < len(asked):
        lengths = range(min(LONGEST_PHRASE, len(asked) - at), 0, -1)
        ways = (tuple(asked[at : at + length]) for length in lengths)
        phrase = next((way for way in ways if way in known), None)
        if phrase is not None:
            found.append(phrase)
        at += len(phrase or (1,))
    return list(dict.fromkeys(found))
