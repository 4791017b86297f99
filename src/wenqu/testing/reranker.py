"""A reranker without a model: it counts the question's words in a text."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from wenqu.errors import ModelError
from wenqu.text.chunk import embedding_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.types import Hit

__all__ = ["FakeReranker"]

_TOKEN = re.compile(r"[a-z0-9]+|[^\W_a-z0-9]")


class FakeReranker:
    """Scores a hit by the share of the question's words, and Chinese characters, that it has.

    Args:
        delay_s: Seconds that each call takes.
        fails: Whether each call fails as a real model does.

    Attributes:
        asked: The question and the texts of each call.
        finished: Calls that were not given up.
        closed: Whether ``close`` was called.
    """

    def __init__(self, *, delay_s: float = 0.0, fails: bool = False) -> None:
        self._delay_s = delay_s
        self._fails = fails
        self.asked: list[tuple[str, list[str]]] = []
        self.finished = 0
        self.closed = False

    @property
    def name(self) -> str:
        """Its name."""
        return "fake"

    async def rerank(self, question: str, hits: Sequence[Hit]) -> Sequence[float]:
        """Return the share of the question's words that each hit has.

        Raises:
            ModelError: It was made to fail.
        """
        texts = [embedding_text(hit.chunk, hit.document.title).lower() for hit in hits]
        self.asked.append((question, texts))
        await asyncio.sleep(self._delay_s)
        if self._fails:
            raise ModelError("error.rerank_broken", url="fake", reason="it was made to fail")
        words = set(_TOKEN.findall(question.lower()))
        scores = [len(words & set(_TOKEN.findall(text))) / (len(words) or 1) for text in texts]
        self.finished += 1
        return scores

    async def close(self) -> None:
        """Note that it was closed."""
        self.closed = True
