"""Answers without a model: the best sentences as they stand in their documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.pipeline.verify import Checked
from wenqu.text.asking import asks
from wenqu.types import CheckedSentence, Citation, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.pipeline.evidence import EvidenceSentence, Selection

__all__ = ["quote"]

_QUOTED = 3  # sentences of an extractive answer
_QUOTED_SHARE = 0.7  # of the best sentence's score that another must have to be quoted
# One short line that begins with a word and ends in one: a sentence would have its stop.
_TITLE = re.compile(r"\w[^\n|:：;；]{0,58}[^\W\d]")


def quote(selection: Selection) -> Checked:
    """Return the best sentences, best source first, each with its marker."""
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
