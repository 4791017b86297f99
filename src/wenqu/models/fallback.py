"""Several chat models in order: when one cannot begin to answer, the next is asked."""

from __future__ import annotations

import logging
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from wenqu.errors import ModelError
from wenqu.types import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from wenqu.protocols import ChatModel
    from wenqu.types import Message

__all__ = ["FallbackChat"]

_log = logging.getLogger("wenqu.models")


class FallbackChat:
    """A ``ChatModel`` over others, each asked only where those before it said nothing.

    What has been said stands: a model that fails in mid-answer is not followed by another, whose
    words would not fit. Usage names the model that answered.

    Args:
        models: At least one, the preferred one first; closed with this one.
    """

    def __init__(self, models: Sequence[ChatModel]) -> None:
        self._models = tuple(models)

    @property
    def name(self) -> str:
        """The preferred model's name."""
        return self._models[0].name

    @property
    def evidence_tokens(self) -> int:
        """What every one of them reads in good time: any may have to answer."""
        return min(model.evidence_tokens for model in self._models)

    async def stream(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        *,
        on_usage: Callable[[Usage], None] | None = None,
    ) -> AsyncGenerator[str]:
        """Yield the reply of the first model that begins one.

        Raises:
            ModelError: The last one cannot begin either, or one failed in mid-answer.
        """
        for number, model in enumerate(self._models, start=1):
            begun = False
            told: list[Usage] = []
            reply = cast(
                "AsyncGenerator[str]", model.stream(messages, max_tokens, on_usage=told.append)
            )
            try:
                async with aclosing(reply) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
            except ModelError as error:
                if begun or number == len(self._models):
                    raise
                _log.warning("%s cannot answer, the next is asked: %s", model.name, error)
                continue
            if on_usage is not None:
                on_usage(replace(told[-1] if told else Usage(), model=model.name))
            return

    async def close(self) -> None:
        """Close all of them."""
        for model in self._models:
            await model.close()
