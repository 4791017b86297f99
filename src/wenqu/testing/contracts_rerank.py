"""What every reranker must do: subclass ``RerankerContract`` in a test and give it a reranker."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pytest

from wenqu.errors import ModelError
from wenqu.testing.samples import chunks_of, document_of
from wenqu.types import Hit, Origin

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager

    from wenqu.protocols import Reranker

__all__ = ["RerankerContract", "hits_of"]

_QUESTION = "how many days of leave 年假几天"
_TEXTS = (
    "Taxis need a receipt.",
    "how many days of leave 年假几天",
    "病假需要医院证明。😀 \x00",
    "x" * 20_000,
    "-",
)


def hits_of(*texts: str) -> list[Hit]:
    """Return hits on these texts, in documents of their own, fused scores falling."""
    return [
        Hit(
            chunk=chunk,
            document=document.info,
            score=1 / rank,
            origin=Origin.FUSED,
            scores={Origin.FUSED: 1 / rank},
        )
        for rank, text in enumerate(texts, start=1)
        for document in (document_of(f"made-{rank}", text, title=""),)
        for chunk in chunks_of(document)
    ]


class RerankerContract:
    """Inherit, implement ``reranker`` and, where it can be brought about, ``failing_reranker``.

    ``reranker`` opens one to which a text is nearest that has all words of the question.
    """

    def reranker(self) -> AbstractAsyncContextManager[Reranker]:
        """Open the reranker under test; leaving the context closes it."""
        raise NotImplementedError

    def failing_reranker(self) -> AbstractAsyncContextManager[Reranker]:
        """Open one that cannot do its work."""
        pytest.skip("this reranker cannot be made to fail")

    def test_it_has_a_name(self) -> None:
        async def check() -> None:
            async with self.reranker() as reranker:
                assert reranker.name.strip()

        _run(check())

    def test_each_hit_has_a_finite_score(self) -> None:
        scores = self._scores(_TEXTS)
        assert len(scores) == len(_TEXTS)
        assert all(math.isfinite(score) for score in scores)

    def test_the_text_with_the_questions_words_has_the_best_score(self) -> None:
        scores = self._scores(_TEXTS)
        assert max(range(len(scores)), key=scores.__getitem__) == 1

    def test_scores_are_in_the_order_of_the_hits(self) -> None:
        forward, backward = self._scores(_TEXTS), self._scores(_TEXTS[::-1])
        assert backward[::-1] == pytest.approx(forward, abs=1e-3)

    def test_the_same_hits_have_the_same_scores(self) -> None:
        assert self._scores(_TEXTS) == self._scores(_TEXTS)

    def test_no_hits_have_no_scores(self) -> None:
        assert self._scores(()) == []

    def test_two_questions_at_once_do_not_disturb_each_other(self) -> None:
        async def check() -> None:
            async with self.reranker() as reranker:
                hits = hits_of(*_TEXTS)
                alone = await reranker.rerank(_QUESTION, hits)
                both = await asyncio.gather(
                    reranker.rerank(_QUESTION, hits), reranker.rerank("receipt for taxis", hits)
                )
                assert list(both[0]) == pytest.approx(list(alone), abs=1e-3)

        _run(check())

    def test_a_failure_says_in_both_languages_what_happened(self) -> None:
        async def check() -> None:
            async with self.failing_reranker() as reranker:
                with pytest.raises(ModelError) as caught:
                    await reranker.rerank(_QUESTION, hits_of(*_TEXTS))
                assert caught.value.message("zh") != caught.value.message("en")
                assert caught.value.hint("zh")

        _run(check())

    def _scores(self, texts: Sequence[str]) -> list[float]:
        async def work() -> list[float]:
            async with self.reranker() as reranker:
                return list(await reranker.rerank(_QUESTION, hits_of(*texts)))

        return asyncio.run(work())


def _run(check: Coroutine[Any, Any, None]) -> None:
    asyncio.run(check)
