"""``wenqu load``: how a server, wenqu's or any OpenAI-compatible one, answers many at once."""

from __future__ import annotations

import json
from contextlib import aclosing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.cli.session import Exit, HomeOption, JsonOption, KbOption, Session, fail, system_text
from wenqu.errors import ChatError, InputError, WenquError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    import httpx

    from wenqu.evaluation.load import Level

    Ask = Callable[[int], AsyncGenerator[str]]

__all__ = ["load"]

_QUESTIONS = (
    "用一句话解释什么是知识库。",
    "In one sentence, what is a vector?",
    "用一句话说明为什么天是蓝的。",
    "Name three uses of a kettle.",
    "把“早上好”翻译成英文。",
    "What does HTTP stand for?",
    "列出三种常见的水果。",
    "Give one tip for writing clear documentation.",
    "一年有几个季节？分别是什么？",
    "What is the capital of France?",
)
_TIMEOUT_S = 600.0
_PLOTS = (".html", ".png", ".svg")


class Kind(StrEnum):
    """What is spoken to the server."""

    OPENAI = "openai"
    WENQU = "wenqu"


def load(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    url: Annotated[str, typer.Argument(help=system_text("cli.load.url"))],
    clients: Annotated[str, typer.Option("--clients", help=system_text("cli.load.clients"))] = (
        "1,3,5,10"
    ),
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help=system_text("cli.load.rounds"))
    ] = 3,
    kind: Annotated[
        Kind | None, typer.Option("--kind", help=system_text("cli.load.kind"), show_default=False)
    ] = None,
    model: Annotated[str, typer.Option("--model", help=system_text("cli.load.model"))] = "default",
    kb: KbOption = None,
    questions: Annotated[
        Path | None,
        typer.Option("--questions", help=system_text("cli.load.questions"), show_default=False),
    ] = None,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=1, help=system_text("cli.load.max_tokens"))
    ] = 64,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", envvar="WENQU_CHAT__API_KEY", help=system_text("cli.load.key"), metavar="KEY"
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help=system_text("cli.load.plot"), show_default=False)
    ] = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Ask a server many questions at once, and show how long they waited."""
    import asyncio

    session = Session.begin(context, home)
    try:
        levels = _numbers(clients)
        if plot is not None and plot.suffix.lower() not in _PLOTS:
            raise InputError("error.load_plot", path=plot, kinds=", ".join(_PLOTS))
        asked = _questions(questions)
        run = _Run(session, url, asked, rounds=rounds, max_tokens=max_tokens)
        found = asyncio.run(run.all(levels, kind, model=model, kb=kb, key=key))
        if plot is not None:
            _write_plot(session, plot, found)
    except WenquError as error:
        fail(error, session.locale)
    except KeyboardInterrupt:
        session.note("cli.interrupted")
        raise typer.Exit(Exit.INTERRUPTED) from None
    if json_output:
        session.print_json({"url": url, "levels": [level.to_json() for level in found]})
    else:
        _show(session, found)
    if any(level.failures for level in found):
        raise typer.Exit(Exit.FAILED)


class _Run:
    """One load test: which questions are asked of which server."""

    def __init__(
        self, session: Session, url: str, questions: Sequence[str], *, rounds: int, max_tokens: int
    ) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._questions = questions
        self._rounds = rounds
        self._max_tokens = max_tokens

    async def all(
        self,
        levels: Sequence[int],
        kind: Kind | None,
        *,
        model: str,
        kb: str | None,
        key: str | None,
    ) -> list[Level]:
        """Return what came of each number of clients, one number after another."""
        import httpx

        from wenqu.cli.progress import Bar
        from wenqu.evaluation.load import run_level

        total = sum(levels) * self._rounds
        done = 0
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, limits=limits) as client:
            kind = kind or await self._kind(client)
            ask = self._openai(model, key) if kind is Kind.OPENAI else self._wenqu(client, kb, key)
            with Bar(self._session.err, self._session.text("cli.load.asking")) as bar:

                def count() -> None:
                    nonlocal done
                    done += 1
                    bar.update(done, total)

                async for _ in ask(0):
                    pass  # loads the model; nobody's wait
                return [
                    await run_level(level, self._rounds, ask, on_answer=count) for level in levels
                ]

    async def _kind(self, client: httpx.AsyncClient) -> Kind:
        import httpx

        try:
            root = self._url.removesuffix("/v1")
            response = await client.get(f"{root}/api/kbs", timeout=10.0)
        except httpx.HTTPError as error:
            raise ChatError(
                "error.load_unreachable", url=self._url, reason=str(error) or repr(error)
            ) from None
        return Kind.WENQU if response.is_success else Kind.OPENAI

    def _question(self, number: int) -> str:
        # Told apart by its number, so that no server answers from a cache.
        return f"{self._questions[number % len(self._questions)]} ({number + 1})"

    def _openai(self, model: str, key: str | None) -> Ask:
        from wenqu.models.openai import OpenAIChat, Patience
        from wenqu.types import Message

        base = self._url if self._url.endswith("/v1") else f"{self._url}/v1"
        patience = Patience(first_s=_TIMEOUT_S, next_s=_TIMEOUT_S, retries=0)

        async def ask(number: int) -> AsyncGenerator[str]:
            chat = OpenAIChat(base_url=base, model=model, api_key=key, patience=patience)
            try:
                question = Message(role="user", text=self._question(number))
                async with aclosing(chat.stream([question], self._max_tokens)) as pieces:
                    async for piece in pieces:
                        yield piece
            finally:
                await chat.close()

        return ask

    def _wenqu(self, client: httpx.AsyncClient, kb: str | None, key: str | None) -> Ask:
        import httpx

        async def ask(number: int) -> AsyncGenerator[str]:
            body = {"question": self._question(number), "kb": kb}
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            address = f"{self._url}/api/ask"
            try:
                async with client.stream("POST", address, json=body, headers=headers) as response:
                    if not response.is_success:
                        reason = (await response.aread()).decode("utf-8", "replace")[:300]
                        raise ChatError("error.chat_failed", url=address, reason=reason)
                    async for piece in _texts(response, address):
                        yield piece
            except httpx.HTTPError as error:
                reason = str(error) or repr(error)
                raise ChatError("error.chat_broken", url=address, reason=reason) from None

        return ask


async def _texts(response: httpx.Response, address: str) -> AsyncGenerator[str]:
    """Yield the pieces of a streamed answer; one that was not streamed is one piece."""
    event, streamed = "", False
    async for line in response.aiter_lines():
        if line.startswith("event:"):
            event = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            data = json.loads(line.removeprefix("data:"))
            if event == "error":
                raise ChatError("error.chat_failed", url=address, reason=data["message"])
            if event == "text":
                streamed = True
                yield data
            elif event == "answer" and not streamed:
                yield data["answer"]


def _numbers(said: str) -> list[int]:
    try:
        numbers = [int(one) for one in said.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise InputError("error.load_clients", clients=said)
    return numbers


def _questions(path: Path | None) -> Sequence[str]:
    if path is None:
        return _QUESTIONS
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("error.load_questions", path=path, reason=error) from None
    if not lines:
        raise InputError("error.load_questions", path=path, reason="0")
    return lines


def _show(session: Session, levels: Sequence[Level]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    columns = ("clients", "ok", "failed", "min", "mean", "p50", "p95", "p99", "max", "first", "tps")
    for column in columns:
        table.add_column(session.text(f"cli.load.column.{column}"), justify="right")
    for level in levels:
        shown = level.to_json()
        waits, first = shown["wait_s"], shown["first_token_s"]
        spread = [f"{seconds:.2f}" for seconds in waits.values()] if isinstance(waits, dict) else []
        begun = f"{first['p50']:.2f}" if isinstance(first, dict) else "–"
        table.add_row(
            str(level.clients),
            str(shown["succeeded"]),
            str(shown["failed"]),
            *(spread or ["–"] * 6),
            begun,
            str(shown["tokens_per_second"]),
        )
    session.out.print(table)
    for level in levels:
        for failure, count in level.failures.items():
            session.note("cli.load.failure", clients=level.clients, count=count, reason=failure)


def _write_plot(session: Session, path: Path, levels: Sequence[Level]) -> None:
    from wenqu.evaluation.plots import Series, line_chart, page, png

    locale = session.locale if path.suffix.lower() == ".html" else "en"

    def text(key: str) -> str:
        from wenqu import messages

        return messages.text(key, locale)

    waits = {level.clients: level.to_json()["wait_s"] for level in levels}
    series = [
        Series(
            text(f"cli.load.column.{name}"),
            [(count, wait[name]) for count, wait in waits.items() if isinstance(wait, dict)],
        )
        for name in ("mean", "p50", "p95", "max")
    ]
    title, across = text("cli.load.plot_title"), text("cli.load.column.clients")
    up = text("cli.load.plot_seconds")
    try:
        if path.suffix.lower() == ".png":
            path.write_bytes(png(series, title=title, x_label=across, y_label=up))
        else:
            drawn = line_chart(series, title=title, x_label=across, y_label=up)
            whole = page(title, drawn, language=locale)
            path.write_text(whole if path.suffix.lower() == ".html" else drawn, "utf-8")
    except OSError as error:
        raise InputError("error.load_plot_write", path=path, reason=error) from error
