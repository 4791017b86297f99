"""Markdown tables: where one is, and whose number a cell is.

A sentence may name one row and give another's.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenqu.text.facts import Known
from wenqu.text.numbers import numbers
from wenqu.text.tokenize import terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wenqu.text.facts import Fact

__all__ = ["TABLE", "Tables"]

TABLE = re.compile(
    r"^(?P<header>[ \t]*\|[^\n]*\n[ \t]*\|(?=[^\n]*-)[ \t:|\-]*)"
    r"(?P<rows>(?:\n[ \t]*\|[^\n]*)+)",
    re.MULTILINE,
)
"""A Markdown table: its header row with the rule below it, then the other rows."""
_BAR = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"[\s|:-]+")
_WORD = re.compile(r"[^\W\d_]")
_FEWEST_ROWS = 2


@dataclass(frozen=True, slots=True)
class _Cell:
    """What stands in a cell, and what its row and its column are called."""

    known: Known
    numbered: bool
    row: frozenset[str]
    head: frozenset[str]


class Tables:
    """The cells of a passage's tables, to look up whose a number is.

    Args:
        passage: Text with tables in Markdown.
    """

    def __init__(self, passage: str) -> None:
        lines = passage.splitlines()
        self._cells = [found for table in _tables(lines) for found in _cells(*table)]
        prose = (line for line in lines if not _is_row(line))
        self._prose = Known("\n".join(prose) if self._cells else "")

    def misplace(self, said: str, fact: Fact) -> bool:
        """Say whether a number stands here only where a table tells of something else.

        That is, each cell that has it is in a row, or under a head, of which the sentence has no
        word, and beside it is a cell with another number, of a row or head that the sentence does
        name. What nothing tells apart is in its place: a number in prose, or a sentence that names
        no row.

        Args:
            said: The sentence, with its question where it means little alone.
            fact: A number or date of it.
        """
        found = [cell for cell in self._cells if cell[0].known.has(fact)]
        if not found or self._prose.has(fact):
            return False
        words = _words(said)
        return all(
            _is_anothers(words, fact, own.row, [(one.row, one) for one in column])
            or _is_anothers(words, fact, own.head, [(one.head, one) for one in row])
            for own, row, column in found
        )


def _is_anothers(
    words: frozenset[str],
    fact: Fact,
    own: frozenset[str],
    named: Sequence[tuple[frozenset[str], _Cell]],
) -> bool:
    """Say whether a sentence names the row or head of a rival cell, and not a fact's own."""
    asked = words - own.intersection(*(name for name, _ in named))
    return not asked & own and any(
        asked & name and cell.numbered and not cell.known.has(fact) for name, cell in named
    )


def _cells(
    header: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[tuple[_Cell, Sequence[_Cell], Sequence[_Cell]]]:
    """Yield each cell with those of its row and of its column, itself among them."""
    heads = [_words(head) for head in header]
    table = []
    for row in rows:
        key = _words(_key(row))
        table.append(
            [
                _Cell(
                    known=Known(text),
                    numbered=any(True for _ in numbers(unicodedata.normalize("NFKC", text))),
                    row=key,
                    head=heads[at] if at < len(heads) else frozenset(),
                )
                for at, text in enumerate(row)
            ]
        )
    for line in table:
        for at, cell in enumerate(line):
            yield cell, line, [other[at] for other in table if at < len(other)]


def _key(row: Sequence[str]) -> str:
    """Return what a row is of: its first cell with a word, which a running number has not."""
    return next((cell for cell in row if _WORD.search(cell)), "")


def _words(text: str) -> frozenset[str]:
    """Return what may name a row: no single characters, no numbers."""
    return frozenset(term for term in terms(text) if len(term) > 1 and _WORD.search(term))


def _tables(lines: Iterable[str]) -> Iterator[tuple[Sequence[str], Sequence[Sequence[str]]]]:
    """Yield header and rows of each table: rows one after another, a rule below the header."""
    rows: list[list[str]] = []
    header: list[str] = []
    for line in (*lines, ""):
        if not _is_row(line):
            if len(rows) >= _FEWEST_ROWS:
                yield header, rows
            rows, header = [], []
        elif _RULE.fullmatch(line):
            header = rows.pop() if rows else []
        else:
            cells = _BAR.split(line.strip().removeprefix("|").removesuffix("|"))
            rows.append([cell.strip() for cell in cells])


def _is_row(line: str) -> bool:
    return line.lstrip().startswith("|")
