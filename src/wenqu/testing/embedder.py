"""An embedder without a model: texts that share words get like vectors, at once and always."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.protocols import Vectors

__all__ = ["FakeEmbedder"]

_TOKEN = re.compile(r"[㐀-鿿]|[^\W㐀-鿿]+|[^\w\s]")


class FakeEmbedder:
    """Hashes words, and single Chinese characters, into a vector of counts of length 1.

    Args:
        dimension: Length of a vector.
        fingerprint: Another one makes it another model.
        floor: Likeness of texts that share nothing. Real models have one, multilingual-e5-small
            about .7, and a gate that was taught on theirs expects it.

    Attributes:
        embedded: Every text that was embedded, in order: what a cache should have spared shows.
    """

    def __init__(
        self, dimension: int = 64, fingerprint: str = "fake:1", floor: float = 0.0
    ) -> None:
        self._dimension = dimension
        self._fingerprint = fingerprint
        self._floor = floor
        self.embedded: list[str] = []

    @property
    def fingerprint(self) -> str:
        """Names weights and preparation."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read."""
        return 512

    def token_starts(self, text: str) -> Sequence[int]:
        """Return where each word, Chinese character or sign begins."""
        return [match.start() for match in _TOKEN.finditer(text)]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """Return one row a text; a query and a passage of the same words are the same."""
        del kind
        self.embedded.extend(texts)
        vectors = np.zeros((len(texts), self._dimension), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            tokens = _TOKEN.findall(text.lower())[: self.max_tokens]
            for token in tokens or ["\0"]:
                row[self._place(token)] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        if self._floor:
            # The last number is kept free for what all texts have in common.
            vectors *= (1 - self._floor) ** 0.5
            vectors[:, -1] = self._floor**0.5
        return vectors

    def _place(self, token: str) -> int:
        digest = hashlib.blake2b(token.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % (self._dimension - bool(self._floor))
