"""Whole tables of the evidence as their rows: what an answer in another language is compared with.

A table in one piece has one vector, in which no row is heard. In its own language an answer finds
its words there all the same; in another one it has nothing else to go by.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from wenqu.text.language import detect
from wenqu.text.tables import TABLE
from wenqu.types import Span

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from wenqu.pipeline.evidence import EvidenceSentence, Selection
    from wenqu.protocols import Embedder
    from wenqu.types import Language

__all__ = ["by_rows", "rows_of"]

_ROW = re.compile(r"\|[^\n]*")
_FEWEST = 2


async def by_rows(
    selection: Selection, languages: Collection[Language], embedder: Embedder
) -> Selection:
    """Return the evidence with a sentence for each row of its tables that are in none of these.

    A row keeps its table's score, has its header rows and a vector of both together.

    Raises:
        ModelError: The embedder cannot be run.
    """
    taken_apart = {
        at: list(rows_of(sentence))
        for at, sentence in enumerate(selection.sentences)
        if "|" in sentence.text and detect(sentence.text) not in languages
    }
    rows = [row for rows in taken_apart.values() for row in rows]
    if not rows:
        return selection
    vectors = iter(await embedder.embed([f"{row.header}\n{row.text}" for row in rows], "passage"))
    sentences: list[EvidenceSentence] = []
    for at, sentence in enumerate(selection.sentences):
        own = [replace(row, vector=next(vectors)) for row in taken_apart.get(at, ())]
        sentences += own or [sentence]
    return replace(selection, sentences=tuple(sentences))


def rows_of(sentence: EvidenceSentence) -> Iterator[EvidenceSentence]:
    """Yield the rows of the first table in a sentence of evidence that has more than one."""
    for table in TABLE.finditer(sentence.text):
        rows = list(_ROW.finditer(sentence.text, *table.span("rows")))
        if len(rows) >= _FEWEST:
            yield from (_row(sentence, row, table["header"]) for row in rows)
            return


def _row(table: EvidenceSentence, row: re.Match[str], header: str) -> EvidenceSentence:
    start = table.span.start + row.start()
    span = Span(start=start, end=start + len(row[0]))
    return replace(table, text=row[0], span=span, header=header)
