"""A chat model without a model: it says what it was told to say."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from wenqu.errors import ChatError
from wenqu.types import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from wenqu.types import Message

__all__ = ["ScriptedChat"]

_LOOK_S = 0.002


class ScriptedChat:
    """Replies from a script, piece by piece, and notes what was asked of it.

    Args:
        reply: The reply, or what makes one of the messages.
        piece_characters: Length of a piece.
        fail_after: Pieces after which it fails as a real model does; None never fails.
        delay_s: Seconds before each piece.
        hold_at: Pieces after which every call waits until ``released`` is set; None never waits.
        evidence_tokens: What it says of itself.

    Attributes:
        prompts: The messages of each call.
        released: Lets go on what ``hold_at`` holds; any thread may set it.
        stopped: Calls that were closed before their end.
        closed: Whether ``close`` was called.
    """

    def __init__(
        self,
        reply: str | Callable[[Sequence[Message]], str] = "",
        *,
        piece_characters: int = 4,
        fail_after: int | None = None,
        delay_s: float = 0.0,
        hold_at: int | None = None,
        evidence_tokens: int = 400,
    ) -> None:
        self._reply = reply
        self._piece_characters = piece_characters
        self._fail_after = fail_after
        self._delay_s = delay_s
        self._hold_at = hold_at
        self._evidence_tokens = evidence_tokens
        self.prompts: list[list[Message]] = []
        self.released = threading.Event()
        self.stopped = 0
        self.closed = False

    @property
    def name(self) -> str:
        """The model's name."""
        return "scripted"

    @property
    def evidence_tokens(self) -> int:
        """Tokens of evidence that it claims to read in good time."""
        return self._evidence_tokens

    async def stream(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        *,
        on_usage: Callable[[Usage], None] | None = None,
    ) -> AsyncGenerator[str]:
        """Yield the script's reply, at most ``max_tokens`` pieces of it; a piece is a token.

        Raises:
            ChatError: The script says so.
        """
        self.prompts.append(list(messages))
        reply = self._reply if isinstance(self._reply, str) else self._reply(messages)
        size = self._piece_characters
        pieces = [reply[at : at + size] for at in range(0, len(reply), size)][:max_tokens]
        finished = False
        try:
            for number, piece in enumerate(pieces):
                self._maybe_fail(number)
                await self._maybe_hold(number)
                await asyncio.sleep(self._delay_s)
                yield piece
            self._maybe_fail(len(pieces))
            if on_usage is not None:
                on_usage(Usage(prompt_tokens=len(messages), completion_tokens=len(pieces)))
            finished = True
        except ChatError:
            finished = True
            raise
        finally:
            self.stopped += not finished

    async def close(self) -> None:
        """Note that it was closed."""
        self.closed = True

    def _maybe_fail(self, number: int) -> None:
        if self._fail_after is not None and number >= self._fail_after:
            raise ChatError("error.chat_failed", url="scripted", reason="as the script says")

    async def _maybe_hold(self, number: int) -> None:
        while number == self._hold_at and not self.released.is_set():  # noqa: ASYNC110  # threads
            await asyncio.sleep(_LOOK_S)
