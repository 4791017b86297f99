"""``wenqu models tune``: find the engine that runs the local chat model best on this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.cli.session import Exit, HomeOption, JsonOption, Session, system_text
from wenqu.errors import ModelMissingError

if TYPE_CHECKING:
    from wenqu.app import App
    from wenqu.models.llama_engine import Verdict

__all__ = ["tune_models"]


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
        from wenqu.models.llama_engine import tune, unsuited
        from wenqu.models.llamacpp import LlamaCppChat

        wanted = name or session.settings.chat.model or DEFAULT_CHAT_MODEL
        paths = [path for entry, path in app.models() if entry.name == wanted and path is not None]
        if not paths:
            raise ModelMissingError(
                "error.model_missing", name=wanted, path=session.settings.models_dir
            )
        threads = session.settings.models.threads
        session.note("cli.models.tune.begins", name=wanted)
        return await tune(
            paths[0],
            lambda engine: LlamaCppChat(paths[0], threads=threads, engine=engine),
            objection=unsuited(),
        )

    try:
        found = session.run(work)
    except OSError as error:  # the verdict could not be written
        session.note("cli.models.tune.unwritable", reason=error)
        raise typer.Exit(Exit.FAILED) from None
    if json_output:
        session.print_json({**asdict(found), "prompt_ratio": found.prompt_ratio})
    elif found.reason is not None:
        session.note("cli.models.tune.stays", engine=found.engine, reason=found.reason)
    else:
        ratio = f"{found.prompt_ratio:.1f}" if found.prompt_ratio else "?"
        session.note("cli.models.tune.chosen", engine=found.engine, ratio=ratio)
