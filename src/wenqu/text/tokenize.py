"""Terms: what full-text search counts, the same for documents and queries and for every engine.

An engine that indexes ``" ".join(terms(text))`` and splits on spaces ranks like every other one.
A term never holds white space.

* Chinese: words by jieba in search mode (a long word and the words in it), every pair of
  neighbouring characters that no dictionary word covers, so that unseen names are found whole, and
  every character.
* Latin and other alphabetic words: folded, accents dropped, English stems.
* Codes (``GB/T 7714-2015``, ``internlm2_5-7b``, ``CamelCase``): the joined form, each pair of
  neighbouring parts, and the parts, so that a code is found as written, with other separators, and
  by a part of it.
* Japanese kana, Korean, Thai: pairs of neighbouring characters.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import cache, lru_cache
from importlib.metadata import version
from itertools import pairwise
from typing import TYPE_CHECKING

from wenqu.text.normalize import fold, simplified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["FINGERPRINT", "terms"]

FINGERPRINT = f"terms-2;rjieba-{version('rjieba')};snowball-{version('PyStemmer')}"
"""Equal fingerprints give equal terms: an index made under another one must be rebuilt."""

_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af"
)
_LETTER = rf"[^\W_{_HAN}{_UNSPACED}]"
_RUN = re.compile(
    rf"(?P<han>[{_HAN}]+)"
    rf"|(?P<grams>[{_UNSPACED}]+)"
    rf"|(?P<code>{_LETTER}+(?:(?:[-_./∕:@&+'’‐‑–—]|://|::|//|__)_*{_LETTER}+)*(?:\+\+|\#(?!\w))?)"
)
_PART = re.compile(r"[^\W_]+")
_PIECE = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_VERSION = re.compile(r"v\d+\.")
_POSSESSIVE = re.compile(r"['’]s\b")
_PLURAL = re.compile("[A-Z]{2,}s")
_MARKS = re.compile("[\u0300-\u036f]")

_MIN_LETTERS = 2
_MIN_DIGITS = 3
_MAX_TERM = 128
_MAX_JOINED = 64


def terms(text: str) -> list[str]:
    """Return the terms of ``text``, run by run in its order; [] without a letter or digit."""
    text = unicodedata.normalize("NFKC", text)
    text = _POSSESSIVE.sub("", _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text))
    found: list[str] = []
    last: re.Match[str] | None = None
    for run in _RUN.finditer(text):
        kind, value = run.lastgroup, run[0]
        if kind == "han":
            found.extend(_han(value))
        elif kind == "grams":
            found.extend(_pairs(fold(value)))
        elif value.isalpha() and value.isascii() and value[1:].islower():
            found.append(_word(value[:_MAX_TERM]))
        else:
            found.extend(_code(value))
            if last is not None and _belongs(text, last, run):
                found.append(_join([*_parts(last[0]), *_parts(value)]))
        last = run if kind == "code" else None
    return found


def _han(run: str) -> Iterator[str]:
    """Yield the words of a run of Han characters, the pairs that no word covers, the characters.

    A pair of neighbouring one-character words is how a name that no dictionary has is found. Single
    characters let 锁 find 门锁 and 北大 find 北京大学; being common, they weigh little.
    """
    run = run.translate(simplified())
    single = ""
    for word in _segmenter()(run):
        if len(word) > 1:
            yield word
            single = ""
        else:
            if single:
                yield single + word
            single = word
    yield from run


def _pairs(run: str) -> Iterable[str]:
    if len(run) == 1:
        return (run,)
    return (run[at : at + 2] for at in range(len(run) - 1))


def _belongs(text: str, last: re.Match[str], run: re.Match[str]) -> bool:
    """Say whether a name and its number are written apart, as in ``ISO 9001`` and ``GB/T 7714``."""
    return (
        run.start() == last.end() + 1
        and text[last.end()] == " "
        and run[0][0].isdigit()
        and last[0][-1].isalpha()
        and last[0][0].isupper()
        and len(last[0]) + len(run[0]) <= _MAX_JOINED
    )


def _code(code: str) -> Iterator[str]:
    parts = _parts(code)
    for part in parts:
        yield _word(part)
        yield from _pieces(part)
    if code.endswith(("++", "#")):
        yield fold(parts[-1]) + code.lstrip(code.rstrip("+#"))[-2:]
    if len(parts) == 1:
        return
    folded = [fold(part) for part in parts]
    for first, second in pairwise(folded):
        yield _join([first, second])
    if len(parts) > 2 and len(code) <= _MAX_JOINED:  # noqa: PLR2004
        joined = _join(folded)
        yield joined
        if _VERSION.match(joined):
            yield joined[1:]


def _parts(code: str) -> list[str]:
    return [part[:_MAX_TERM] for part in _PART.findall(code)]


def _pieces(part: str) -> Iterator[str]:
    """Yield the words of ``CamelCase`` and the long enough words and numbers of ``RTX4090``."""
    if part.isdigit() or (part.isalpha() and (part.islower() or part.isupper())):
        return
    pieces = _PIECE.findall(part)
    if len(pieces) > 1:
        for piece in pieces:
            if len(piece) >= (_MIN_DIGITS if piece.isdigit() else _MIN_LETTERS):
                yield _word(piece)


def _join(parts: Iterable[str]) -> str:
    """Join parts with a dot between digits, where 2.5 is not 25, and with nothing elsewhere."""
    joined = ""
    for part in parts:
        dot = "." if joined and joined[-1].isdigit() and part[0].isdigit() else ""
        joined += dot + part
    return _word(joined)


@lru_cache(maxsize=50_000)
def _word(word: str) -> str:
    """Return the folded stem of a word, or the folded code."""
    if _PLURAL.fullmatch(word):
        word = word[:-1]
    word = fold(word)
    if not word.isascii():
        word = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", word)))
    return _LOCAL.stem(word) if word.isascii() and word.isalpha() else word


class _Local(threading.local):
    """A stemmer for each thread: it keeps a cache that two threads must not share."""

    def __init__(self) -> None:
        import Stemmer

        self.stem: Callable[[str], str] = Stemmer.Stemmer("english", 0).stemWord


@cache
def _segmenter() -> Callable[[str], list[str]]:
    import rjieba  # 0.2 s and 33 MB, so only once something is tokenised

    def cut(run: str) -> list[str]:
        # Without its hidden Markov model: what that guesses depends on the words around, so that a
        # question and a document cut the same unseen name differently.
        words: list[str] = rjieba.cut_for_search(run, False)  # noqa: FBT003
        return words

    return cut


_LOCAL = _Local()
