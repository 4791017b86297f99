"""Which engine runs the local chat model best on this machine: found by ``wenqu models tune``.

``wenqu models pull`` asks for it too, once for each model: otherwise only who read about it would
have the faster engine.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.cli.session import Exit, HomeOption, JsonOption, Session, system_text
from wenqu.errors import ModelMissingError

if TYPE_CHECKING:
    from pathlib import Path

    from wenqu.app import App
    from wenqu.models.llama_engine import Verdict

__all__ = ["tune_first", "tune_models"]


def tune_models(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help=system_text("cli.models.tune.name"))] = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Compare the engines on a chat model that is here, and keep what came out beside it."""
    session = Session.begin(context, home)

    async def work(app: App) -> Verdict:
        from wenqu.app import DEFAULT_CHAT_MODEL
        from wenqu.models.llama_engine import unsuited

        wanted = name or session.settings.chat.model or DEFAULT_CHAT_MODEL
        paths = [path for entry, path in app.models() if entry.name == wanted and path is not None]
        if not paths:
            raise ModelMissingError(
                "error.model_missing", name=wanted, path=session.settings.models_dir
            )
        return await _tuned(session, wanted, paths[0], unsuited())

    try:
        found = session.run(work)
    except OSError as error:  # the verdict could not be written
        session.note("cli.models.tune.unwritable", reason=error)
        raise typer.Exit(Exit.FAILED) from None
    if json_output:
        session.print_json({**asdict(found), "prompt_ratio": found.prompt_ratio})
    else:
        _tell(session, found)


async def tune_first(session: Session, name: str, path: Path) -> None:
    """Compare the engines on a chat model unless that was done, or only one can run here."""
    from wenqu.models.llama_engine import unsuited, verdict

    if unsuited() is not None or verdict(path) is not None:
        return
    try:
        _tell(session, await _tuned(session, name, path, None))
    except OSError as error:  # the model is here, which is what was asked for
        session.note("cli.models.tune.unwritable", reason=error)


async def _tuned(session: Session, name: str, path: Path, objection: str | None) -> Verdict:
    from wenqu.models.llama_engine import tune
    from wenqu.models.llamacpp import LlamaCppChat

    threads = session.settings.models.threads
    session.note("cli.models.tune.begins", name=name)
    return await tune(
        path,
        lambda engine: LlamaCppChat(path, threads=threads, engine=engine),
        objection=objection,
    )


def _tell(session: Session, found: Verdict) -> None:
    if found.reason is not None:
        session.note("cli.models.tune.stays", engine=found.engine, reason=found.reason)
    else:
        ratio = f"{found.prompt_ratio:.1f}" if found.prompt_ratio else "?"
        session.note("cli.models.tune.chosen", engine=found.engine, ratio=ratio)
