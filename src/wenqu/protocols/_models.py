"""Models: embedders, chat models, rerankers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.protocols._indexes import Senses
    from wenqu.types import (
        Hit,
        Message,
        Usage,
    )

    Vectors = NDArray[np.float32]
    """Shape (n, dimension), rows of length 1."""


class Embedder(Protocol):
    """Turns texts into vectors of length 1 whose inner product is their likeness."""

    @property
    def fingerprint(self) -> str:
        """Names weights and preparation: equal fingerprints give interchangeable vectors."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read; what lies beyond is cut off."""

    def token_starts(self, text: str) -> Sequence[int]:
        """Return where each token of ``text`` begins, in code points, ascending."""

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """Return one row a text, in the order given.

        Raises:
            ModelError: The model cannot be run.
        """


class Dictionary(Protocol):
    """Says the words of a question in the other language."""

    def translate(self, question: str) -> tuple[Senses, ...]:
        """Return what each word that it knows may be, in the question's order; quick."""


class ChatModel(Protocol):
    """A language model that answers messages, piece by piece."""

    @property
    def name(self) -> str:
        """The model's name, as an answer reports it."""

    @property
    def evidence_tokens(self) -> int:
        """Tokens of evidence that the model reads in good time on this machine."""

    def stream(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        *,
        on_usage: Callable[[Usage], None] | None = None,
    ) -> AsyncIterator[str]:
        """Yield the reply in pieces as they come; closing the iterator stops the model.

        Args:
            messages: The conversation so far; the last one is answered.
            max_tokens: Longest reply.
            on_usage: Told, before the reply ends, of the tokens that were read and written, where
                the model says.

        Raises:
            ChatError: The model failed; what was yielded before stands.
        """

    async def close(self) -> None:
        """Free what the model holds."""


class Reranker(Protocol):
    """Looks at a question and each candidate together, which costs more and tells more."""

    @property
    def name(self) -> str:
        """Its name, as a trace reports it."""

    async def rerank(self, question: str, hits: Sequence[Hit]) -> Sequence[float]:
        """Return a score a hit, in the hits' order; higher is better, comparable in one call only.

        Raises:
            ModelError: The model cannot be run.
        """

    async def close(self) -> None:
        """Free what it holds."""
