"""A conversation at a terminal, or fed line by line from a pipe: what ``wenqu chat`` runs."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wenqu.errors import WenquError
from wenqu.text.conversation import CommandName, command

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding.key_processor import KeyPressEvent

    from wenqu.app import App
    from wenqu.cli.session import Session
    from wenqu.options import AskOptions
    from wenqu.text.conversation import Command
    from wenqu.types import Answer, AnswerEvent, Conversation

__all__ = ["Talk"]


class Talk:
    """One conversation at a terminal, or fed line by line from a pipe."""

    def __init__(self, session: Session, app: App, talk: Conversation, *, use_llm: bool) -> None:
        self._session = session
        self._app = app
        self._talk = talk
        self._use_llm = use_llm
        self._last: Answer | None = None
        self._commands: dict[CommandName, Callable[[str], Awaitable[None]]] = {
            CommandName.HELP: self._help,
            CommandName.SOURCES: self._sources,
            CommandName.MODEL: self._model,
            CommandName.RETRY: self._retry,
            CommandName.EXPORT: self._export,
            CommandName.UNKNOWN: self._unknown,
        }

    async def run(self) -> None:
        """Read and answer until the end of the input, or ``/exit``."""
        lines = self._lines()
        self._session.note(
            "cli.chat.welcome", model=self._model_name(), kb=self._talk.kb_name or "–"
        )
        for turn in self._talk.turns:
            self._session.out.print(f"› {turn.question}", style="bold", markup=False)
            self._session.out.print(f"{turn.answer}\n", markup=False)
        async with aclosing(lines):
            async for line in lines:
                said = command(line)
                if said is not None and said.name is CommandName.QUIT:
                    break
                await self._take(line, said)
        if (await self._app.conversations.get(self._talk.id)).turns:
            self._session.note("cli.chat.goodbye", id=self._talk.id)

    async def _take(self, line: str, said: Command | None) -> None:
        try:
            if said is not None and (work := self._commands.get(said.name)):
                await work(said.rest)
            elif line.strip():
                await self._answer(
                    lambda: self._app.conversing.say(self._talk.id, line, self._how())
                )
        except WenquError as error:
            # One line went wrong; the conversation goes on.
            self._session.show_error(error)

    def _how(self) -> AskOptions:
        from wenqu.options import AskOptions

        return AskOptions(use_llm=self._use_llm)

    async def _answer(self, begin: Callable[[], AsyncGenerator[AnswerEvent]]) -> None:
        """Show an answer as it comes; Ctrl-C stops it and nothing else."""
        task = asyncio.ensure_future(self._show(begin()))
        loop = asyncio.get_running_loop()
        stopping = sys.platform != "win32"
        if stopping:
            loop.add_signal_handler(signal.SIGINT, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            self._session.out.print()
            self._session.note("cli.chat.stopped")
        finally:
            if stopping:
                loop.remove_signal_handler(signal.SIGINT)

    async def _show(self, events: AsyncGenerator[AnswerEvent]) -> None:
        from wenqu.cli.ask import show_end, show_event
        from wenqu.types import AnswerFinished, AnswerText

        streamed, shown = "", False
        async with aclosing(events) as stream:
            async for event in stream:
                shown = True
                if isinstance(event, AnswerFinished):
                    self._last = event.answer
                    show_end(self._session, event.answer, streamed)
                else:
                    show_event(self._session, event)
                    streamed += event.text if isinstance(event, AnswerText) else ""
        if not shown:
            self._last = None
            self._session.note("cli.chat.cleared")

    async def _unknown(self, said: str) -> None:
        self._session.note("cli.chat.unknown", command=said)
        await self._help(said)

    async def _help(self, _: str) -> None:
        self._session.note("cli.chat.commands")

    async def _sources(self, _: str) -> None:
        from wenqu.cli.ask import show_citations

        if self._last is None or not self._last.citations:
            self._session.note("cli.chat.no_sources")
        else:
            show_citations(self._session, self._last.citations)

    async def _model(self, name: str) -> None:
        if name:
            await self._app.use_chat_model(name)
        self._session.note("cli.chat.model", model=self._model_name())

    async def _retry(self, line: str) -> None:
        await self._answer(
            lambda: self._app.conversing.again(self._talk.id, None, line or None, self._how())
        )

    async def _export(self, path: str) -> None:
        form: Literal["json", "markdown"] = "json" if path.endswith(".json") else "markdown"
        text = await self._app.conversing.export(self._talk.id, form, self._session.locale)
        if not path:
            self._session.out.print(text, markup=False)
            return
        try:
            await asyncio.to_thread(_write, path, text)
        except OSError as error:
            self._session.note("cli.chat.not_written", path=path, reason=error.strerror or error)
        else:
            self._session.note("cli.chat.written", path=path)

    def _model_name(self) -> str:
        model = self._app.chat_model() if self._use_llm else None
        return model.name if model else self._session.text("cli.trace.no_model")

    def _lines(self) -> AsyncGenerator[str]:
        return self._typed() if sys.stdin.isatty() and sys.stdout.isatty() else _piped()

    async def _typed(self) -> AsyncGenerator[str]:
        prompt = self._prompt()
        while True:
            try:
                yield await prompt.prompt_async("› ")
            except KeyboardInterrupt:
                continue  # as in a shell: the line is dropped, the session stays
            except EOFError:
                return

    def _prompt(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.history import FileHistory
        from prompt_toolkit.key_binding import KeyBindings

        keys = KeyBindings()

        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        home = self._app.settings.home
        home.mkdir(parents=True, exist_ok=True)
        known = [name for name in CommandName if name is not CommandName.UNKNOWN]
        words = [*(f"/{name}" for name in known), "清空对话历史"]
        return PromptSession(
            history=FileHistory(str(home / "chat_history")),
            auto_suggest=AutoSuggestFromHistory(),
            completer=WordCompleter(words, sentence=True),
            complete_while_typing=False,
            key_bindings=keys,
            bottom_toolbar=lambda: self._session.text(
                "cli.chat.toolbar", model=self._model_name(), kb=self._talk.kb_name or "–"
            ),
        )


def _write(path: str, text: str) -> None:
    Path(path).expanduser().write_text(text, "utf-8")


async def _piped() -> AsyncGenerator[str]:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line.rstrip("\n")
