from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from wenqu.testing.chat import ScriptedChat
from wenqu.testing.contracts_chat import ChatModelContract

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

COUNT = ", ".join(str(number) for number in range(1, 31))


class TestScriptedChat(ChatModelContract):
    @asynccontextmanager
    async def model(self) -> AsyncGenerator[ScriptedChat]:
        yield ScriptedChat(COUNT)

    @asynccontextmanager
    async def failing_model(self) -> AsyncGenerator[ScriptedChat]:
        yield ScriptedChat(COUNT, fail_after=3)
