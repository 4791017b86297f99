"""``wenqu llm serve``: one model, one OpenAI-compatible endpoint, whatever runs it."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.choices import Backend
from wenqu.cli.deferred import Group
from wenqu.cli.session import Exit, HomeOption, Session, fail, system_text
from wenqu.errors import ModelError, WenquError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from wenqu.models.llama_engine import Engine
    from wenqu.models.serving import Launch

__all__ = ["app"]

app = Group("cli.llm.help")

_POLL_S = 0.2
_ENDING_S = 10.0


class GgufEngine(StrEnum):
    """What runs a GGUF file."""

    STOCK = "llama.cpp"
    FAST = "ik_llama.cpp"


_ENGINES: Mapping[GgufEngine, Engine] = {
    GgufEngine.STOCK: "llama.cpp",
    GgufEngine.FAST: "ik_llama.cpp",
}


@app.callback()
def _group() -> None:
    """Keep ``serve`` a command of its own while it is the only one."""


@app.command("serve", help=system_text("cli.llm.serve.help"))
def serve(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    model: Annotated[
        str | None, typer.Argument(help=system_text("cli.llm.serve.model"), show_default=False)
    ] = None,
    backend: Annotated[
        Backend, typer.Option("--backend", "-b", help=system_text("cli.llm.serve.backend"))
    ] = Backend.LLAMACPP,
    host: Annotated[str, typer.Option("--host", help=system_text("cli.serve.host"))] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help=system_text("cli.serve.port"))
    ] = 8080,
    parallel: Annotated[
        int, typer.Option("--parallel", min=1, help=system_text("cli.llm.serve.parallel"))
    ] = 10,
    context_tokens: Annotated[
        int, typer.Option("--context", min=256, help=system_text("cli.llm.serve.context"))
    ] = 4096,
    engine: Annotated[
        GgufEngine | None,
        typer.Option("--engine", help=system_text("cli.llm.serve.engine"), show_default=False),
    ] = None,
    bits: Annotated[
        int | None,
        typer.Option("--bits", help=system_text("cli.llm.serve.bits"), show_default=False),
    ] = None,
    dtype: Annotated[
        str, typer.Option("--dtype", help=system_text("cli.llm.serve.dtype"))
    ] = "auto",
    gpus: Annotated[int, typer.Option("--gpus", min=1, help=system_text("cli.llm.serve.gpus"))] = 1,
    name: Annotated[
        str | None,
        typer.Option("--name", help=system_text("cli.llm.serve.name"), show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", envvar="LLM_SERVE_KEY", help=system_text("cli.llm.serve.key"), metavar="KEY"
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=system_text("cli.llm.serve.dry_run"))
    ] = False,
    home: HomeOption = None,
) -> None:
    """Serve a model until the process is told to stop."""
    import asyncio

    from wenqu.models.serving import ServeOptions, launch

    session = Session.begin(context, home)
    try:
        file = _file(session, model) if backend is Backend.LLAMACPP else model or ""
        wanted = ServeOptions(
            model=file,
            name=name or model or session.settings.chat.model or _default(),
            host=host,
            port=port,
            parallel=parallel,
            context=context_tokens,
            threads=session.settings.models.threads,
            engine=_ENGINES[engine] if engine else None,
            bits=bits,
            dtype=dtype,
            gpus=gpus,
            api_key=key,
        )
        planned = launch(backend, wanted)
        if dry_run:
            session.print_json({"command": planned.command, "url": planned.url})
            return
        for folder in planned.folders:
            folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(_serve(session, planned, wanted.name))
    except WenquError as error:
        fail(error, session.locale)
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None


def _default() -> str:
    from wenqu.app import DEFAULT_CHAT_MODEL

    return DEFAULT_CHAT_MODEL


def _file(session: Session, model: str | None) -> str:
    """Return the path of a GGUF file: given as one, or by its name in the catalog."""
    if model is not None and (model.endswith(".gguf") or os.sep in model):
        return os.path.expanduser(model)  # noqa: PTH111  # a text, as the other backends take it

    from wenqu.models.catalog import find
    from wenqu.models.fetch import located

    entry = find(model or session.settings.chat.model or _default(), "chat")
    path = located(entry, session.settings.models_dir)
    return str(path or session.settings.models_dir / entry.file)


async def _serve(session: Session, planned: Launch, name: str) -> None:
    """Start, say when it is ready, and end it when this process is told to end.

    Raises:
        ModelError: It ended by itself.
    """
    import asyncio

    process = await asyncio.create_subprocess_exec(
        *planned.command,
        env={**os.environ, **planned.environment},
        # Ctrl-C in a terminal goes to the whole group; it is ended here, in order.
        start_new_session=True,
    )
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopping.set)
    tasks = {
        asyncio.create_task(process.wait()),
        asyncio.create_task(stopping.wait()),
    }
    ready = asyncio.create_task(_ready(session, planned, name))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.is_set():
            raise ModelError(
                "error.serve_ended", backend=planned.command[0], code=process.returncode
            )
    finally:
        for task in (*tasks, ready):
            task.cancel()
        await _end(process)


async def _ready(session: Session, planned: Launch, name: str) -> None:
    import asyncio

    import httpx

    root = planned.url.removesuffix("/v1")
    async with httpx.AsyncClient(timeout=5.0, trust_env=False) as client:
        while True:
            with suppress(httpx.HTTPError):
                if (await client.get(f"{root}{planned.health}")).is_success:
                    break
            await asyncio.sleep(_POLL_S)
    for command in planned.after:
        environment = {**os.environ, **planned.environment}
        await (await asyncio.create_subprocess_exec(*command, env=environment)).wait()
    session.note("cli.llm.serve.ready", name=name, url=planned.url)


async def _end(process: asyncio.subprocess.Process) -> None:
    import asyncio

    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_ENDING_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
