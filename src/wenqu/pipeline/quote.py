"""Answers without a model: the best sentences as they stand in their documents."""

from __future__ import annotations

import re
from collections import Counter
from math import log
from typing import TYPE_CHECKING

from wenqu.pipeline.rows import rows_of
from wenqu.pipeline.verify import Checked
from wenqu.text.asking import asks
from wenqu.text.query import query_terms
from wenqu.text.tokenize import terms
from wenqu.types import CheckedSentence, Citation, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.pipeline.evidence import EvidenceSentence, Selection

__all__ = ["quote"]

_QUOTED = 3  # sentences of an extractive answer
_QUOTED_SHARE = 0.7  # of the best one's score that another sentence or row must have
# One short line that begins with a word and ends in one: a sentence would have its stop.
_TITLE = re.compile(r"\w[^\n|:：;；]{0,58}[^\W\d]")


def quote(selection: Selection, question: str) -> Checked:
    """Return the best sentences, best source first, each with its marker.

    Of a table, the rows that the question names: where it names none, the whole table.
    """
    # A question that a document asks, or a title, does not answer ours, unless it holds nothing
    # else.
    telling = [
        item
        for item in selection.sentences
        if not asks(item.text) and not _TITLE.fullmatch(item.text)
    ]
    best = sorted(telling or selection.sentences, key=lambda item: -item.score)[:_QUOTED]
    kept = [sentence for sentence in best if sentence.score >= _QUOTED_SHARE * best[0].score]
    order = [item.marker for item in kept]  # a source's sentences stay together, in their order
    # A single character is in almost any Chinese text.
    named = {term for term in query_terms(question) if len(term) > 1 or term.isdigit()}
    kept = [row for sentence in kept for row in _rows_named(sentence, named)]
    kept.sort(key=lambda sentence: (order.index(sentence.marker), sentence.span))
    text, sentences = _written(kept)
    return Checked(
        text=text,
        citations=tuple(
            Citation(
                marker=sentence.marker,
                hit=sentence.hit,
                sentence=sentence.text,
                quote=sentence.text,
                span=sentence.span,
                supported=True,
            )
            for sentence in kept
        ),
        sentences=sentences,
    )


def _rows_named(sentence: EvidenceSentence, named: set[str]) -> list[EvidenceSentence]:
    """Return the rows of a table that hold most of what is named, or the sentence as it is.

    A word weighs the more, the fewer rows have it; one of the header names a column, no row.
    """
    rows = list(rows_of(sentence))
    named = named.difference(*(terms(row.header) for row in rows[:1]))
    held = [named.intersection(terms(row.text)) for row in rows]
    rows_with = Counter(term for one in held for term in one)
    scores = [sum(log(1 + len(rows) / rows_with[term]) for term in one) for one in held]
    best = max(scores, default=0.0)
    found = [row for row, score in zip(rows, scores, strict=True) if score >= _QUOTED_SHARE * best]
    return found if best and len(found) < len(rows) else [sentence]


def _written(kept: Sequence[EvidenceSentence]) -> tuple[str, tuple[CheckedSentence, ...]]:
    """Return the sentences with their markers; rows of a table have its header rows before them."""
    text, header = "", ""
    sentences = []
    for sentence in kept:
        if sentence.header and sentence.header != header:
            text += f"{sentence.header}\n"
        header = sentence.header
        space = "\n" if sentence.text.startswith(("```", "~~~")) else " "
        line = f"{sentence.text}{space}[{sentence.marker}]"
        sentences.append(
            CheckedSentence(
                span=Span(start=len(text), end=len(text) + len(line)),
                text=sentence.text,
                markers=(sentence.marker,),
                supported=True,
            )
        )
        text += f"{line}\n"
    return text.rstrip("\n"), tuple(sentences)
