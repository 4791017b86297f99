"""What every chat model must do: subclass ``ChatModelContract`` in a test and give it a model."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TYPE_CHECKING, Any, cast

import pytest

from wenqu.errors import ChatError
from wenqu.types import Message, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine

    from wenqu.protocols import ChatModel

__all__ = ["ChatModelContract"]

_HELLO = (
    Message(role="system", text="You count."),
    Message(role="user", text="Count from 1 to 30, with commas."),
)


class ChatModelContract:
    """Inherit, implement ``model`` and, where it can be brought about, ``failing_model``.

    ``model`` opens a model that answers ``Count from 1 to 30`` with at least 8 pieces.
    ``failing_model`` opens one that fails after at least one piece.
    """

    def model(self) -> AbstractAsyncContextManager[ChatModel]:
        """Open the model under test; leaving the context closes it."""
        raise NotImplementedError

    def failing_model(self) -> AbstractAsyncContextManager[ChatModel]:
        """Open a model that fails in the middle of its answer."""
        pytest.skip("this model cannot be made to fail")

    def test_it_says_what_it_is(self) -> None:
        async def check() -> None:
            async with self.model() as chat:
                assert chat.name
                assert chat.evidence_tokens > 0

        _run(check())

    def test_a_reply_comes_in_pieces(self) -> None:
        async def check() -> None:
            async with self.model() as chat:
                pieces = [piece async for piece in chat.stream(_HELLO, 64)]
                assert len(pieces) > 1
                assert all(pieces)
                assert "1" in "".join(pieces)

        _run(check())

    def test_the_same_question_has_the_same_reply(self) -> None:
        async def check() -> None:
            async with self.model() as chat:
                replies = [
                    "".join([piece async for piece in chat.stream(_HELLO, 16)]) for _ in range(2)
                ]
                assert replies[0] == replies[1]

        _run(check())

    def test_a_reply_keeps_to_its_longest_length(self) -> None:
        async def check() -> None:
            async with self.model() as chat:
                short = "".join([piece async for piece in chat.stream(_HELLO, 2)])
                long = "".join([piece async for piece in chat.stream(_HELLO, 64)])
                assert len(short) < len(long)
                assert long.startswith(short)

        _run(check())

    def test_usage_is_told_once_before_the_end_where_the_model_counts(self) -> None:
        async def check() -> None:
            async with self.model() as chat:
                told: list[Usage] = []
                async for _ in chat.stream(_HELLO, 8, on_usage=told.append):
                    pass
                assert len(told) <= 1
                assert all(usage.completion_tokens > 0 for usage in told)

        _run(check())

    def test_a_closed_reply_leaves_the_model_free_for_the_next(self) -> None:
        async def check() -> None:
            async with self.model() as chat:
                stream = cast("AsyncGenerator[str]", chat.stream(_HELLO, 64))
                async with aclosing(stream) as pieces:
                    async for _ in pieces:
                        break
                async with asyncio.timeout(60):
                    assert "".join([piece async for piece in chat.stream(_HELLO, 8)])

        _run(check())

    def test_a_failure_keeps_what_was_said_before(self) -> None:
        async def check() -> None:
            async with self.failing_model() as chat:
                said: list[str] = []
                with pytest.raises(ChatError) as caught:
                    said.extend([piece async for piece in _noting(chat, said)])
                assert said
                assert caught.value.message("zh")

        _run(check())


async def _noting(chat: ChatModel, said: list[str]) -> AsyncGenerator[str]:
    async for piece in chat.stream(_HELLO, 64):
        said.append(piece)
        yield piece


def _run(check: Coroutine[Any, Any, None]) -> None:
    asyncio.run(check)
