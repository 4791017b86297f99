"""What every embedder must do: subclass ``EmbedderContract`` and give it an ``embedder``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.protocols import Embedder, Vectors

__all__ = ["EmbedderContract"]

_TEXTS = (
    "成年女性每天建议摄入的蛋白质约为46克。",
    "The quick brown fox jumps over the lazy dog.",
    "",
    "安装 lmdeploy：pip install lmdeploy==0.2.0",
    " \n\t",
    "Ω≈ç√ 😀 \x00 ﬁ ①",
    "珠穆朗玛峰是世界最高峰。" * 200,
)
# Rounding may differ between a text alone and the same text among others; a ranking must not.
_NEAR = 0.98


class EmbedderContract:
    """Tests for pytest; a subclass overrides ``embedder``, often with a fixture of that name."""

    def test_a_row_comes_back_for_each_text(self, embedder: Embedder) -> None:
        vectors = self._embed(embedder, _TEXTS)
        assert vectors.shape == (len(_TEXTS), embedder.dimension)
        assert vectors.dtype == np.float32

    def test_every_vector_is_finite_and_has_length_one(self, embedder: Embedder) -> None:
        lengths = np.linalg.norm(self._embed(embedder, _TEXTS), axis=1)
        np.testing.assert_allclose(lengths, 1, atol=1e-3)

    def test_no_texts_give_no_rows(self, embedder: Embedder) -> None:
        assert self._embed(embedder, ()).shape == (0, embedder.dimension)

    def test_rows_are_in_the_order_of_the_texts(self, embedder: Embedder) -> None:
        forward = self._embed(embedder, _TEXTS)
        backward = self._embed(embedder, _TEXTS[::-1])[::-1]
        assert (forward * backward).sum(axis=1).min() > _NEAR

    def test_a_text_alone_is_like_itself_among_others(self, embedder: Embedder) -> None:
        together = self._embed(embedder, _TEXTS)
        for row, text in zip(together, _TEXTS, strict=True):
            assert float(self._embed(embedder, (text,))[0] @ row) > _NEAR

    def test_the_same_texts_give_the_same_vectors(self, embedder: Embedder) -> None:
        np.testing.assert_array_equal(self._embed(embedder, _TEXTS), self._embed(embedder, _TEXTS))

    def test_a_question_is_nearest_to_the_passage_with_its_words(self, embedder: Embedder) -> None:
        query = asyncio.run(embedder.embed(("每天建议摄入多少蛋白质？",), "query"))[0]
        assert int(np.argmax(self._embed(embedder, _TEXTS) @ query)) == 0

    def test_two_calls_at_once_do_not_disturb_each_other(self, embedder: Embedder) -> None:
        async def both() -> Sequence[Vectors]:
            return await asyncio.gather(
                embedder.embed(_TEXTS[:3], "passage"), embedder.embed(_TEXTS[3:], "passage")
            )

        first, second = asyncio.run(both())
        together = self._embed(embedder, _TEXTS)
        assert (np.vstack((first, second)) * together).sum(axis=1).min() > _NEAR

    def test_token_starts_ascend_inside_the_text(self, embedder: Embedder) -> None:
        for text in _TEXTS:
            starts = list(embedder.token_starts(text))
            assert starts == sorted(starts)
            assert all(0 <= start < len(text) for start in starts)

    def test_a_longer_text_has_more_tokens(self, embedder: Embedder) -> None:
        once, often = _TEXTS[1], "\n".join([_TEXTS[1]] * 200)
        assert len(embedder.token_starts(often)) > 150 * len(embedder.token_starts(once))

    def test_its_facts_are_usable(self, embedder: Embedder) -> None:
        assert embedder.fingerprint.strip()
        assert embedder.max_tokens > 0

    def _embed(self, embedder: Embedder, texts: Sequence[str]) -> Vectors:
        return asyncio.run(embedder.embed(texts, "passage"))
