"""``wenqu kb``: knowledge bases."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.choices import MAX_CHUNK_OVERLAP, MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS, ChunkStrategy
from wenqu.cli.deferred import Group
from wenqu.cli.session import HomeOption, JsonOption, Session, fail, system_text
from wenqu.errors import InputError, NotFoundError
from wenqu.payloads import knowledge_base_payload
from wenqu.types import KnowledgeBaseSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.app import App
    from wenqu.types import Chunking, KnowledgeBase

    Shown = tuple[KnowledgeBase, Chunking]

__all__ = ["app"]

app = Group("cli.kb.help")
NameArgument = Annotated[str, typer.Argument(help=system_text("cli.argument.kb_name"))]
OptionalNameArgument = Annotated[
    str | None, typer.Argument(help=system_text("cli.option.kb"), show_default=False)
]
StrategyOption = Annotated[
    ChunkStrategy | None,
    typer.Option("--chunk-strategy", help=system_text("cli.kb.chunk_strategy"), show_default=False),
]
TokensOption = Annotated[
    int | None,
    typer.Option(
        "--chunk-tokens",
        min=MIN_CHUNK_TOKENS,
        max=MAX_CHUNK_TOKENS,
        help=system_text("cli.kb.chunk_tokens"),
        show_default=False,
    ),
]
OverlapOption = Annotated[
    int | None,
    typer.Option(
        "--chunk-overlap",
        min=0,
        max=MAX_CHUNK_OVERLAP,
        help=system_text("cli.kb.chunk_overlap"),
        show_default=False,
    ),
]
PromptOption = Annotated[
    str | None, typer.Option("--prompt", help=system_text("cli.kb.prompt.help"), show_default=False)
]
PromptFileOption = Annotated[
    Path | None,
    typer.Option("--prompt-file", help=system_text("cli.kb.prompt_file"), show_default=False),
]

_COUNTS = ("documents", "chunks", "characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forgotten:
    """Which of a knowledge base's own settings are forgotten before new ones are taken."""

    everything: bool = False
    prompt: bool = False

    def of(self, settings: KnowledgeBaseSettings) -> KnowledgeBaseSettings:
        """Return what is left of ``settings``."""
        return replace(settings, prompt=None) if self.prompt else settings


@app.command("list", help=system_text("cli.kb.list.help"))
def kb_list(
    context: typer.Context, json_output: JsonOption = False, home: HomeOption = None
) -> None:
    """Show all knowledge bases with their counts, and how they cut documents."""
    session = Session.begin(context, home)

    async def work(app: App) -> Sequence[Shown]:
        return [(base, app.chunking(base)) for base in await app.bases.list()]

    bases = session.run(work)
    if json_output:
        session.print_json([knowledge_base_payload(*one) for one in bases])
        return
    if not bases:
        session.note("cli.kb.none")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(session.text("cli.kb.name"), overflow="fold")
    for column in _COUNTS:
        table.add_column(session.text(f"cli.kb.{column}"), justify="right")
    table.add_column(session.text("cli.kb.chunking"))
    for base, chunking in bases:
        counts = [str(getattr(base, column)) for column in _COUNTS]
        table.add_row(base.name, *counts, _described(session, base, chunking))
    session.out.print(table)


@app.command("create", help=system_text("cli.kb.create.help"))
def kb_create(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    name: NameArgument,
    chunk_strategy: StrategyOption = None,
    chunk_tokens: TokensOption = None,
    chunk_overlap: OverlapOption = None,
    prompt: PromptOption = None,
    prompt_file: PromptFileOption = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Create an empty knowledge base."""
    session = Session.begin(context, home)
    settings = KnowledgeBaseSettings(
        chunk_strategy=chunk_strategy,
        chunk_tokens=chunk_tokens,
        chunk_overlap=chunk_overlap,
        prompt=_said_prompt(session, prompt, prompt_file),
    )

    async def work(app: App) -> Shown:
        base = await app.bases.create(name, settings)
        return base, app.chunking(base)

    base, chunking = session.run(work)
    if json_output:
        session.print_json(knowledge_base_payload(base, chunking))
    else:
        session.note("cli.kb.created", name=base.name)


@app.command("set", help=system_text("cli.kb.set.help"))
def kb_set(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    name: NameArgument,
    chunk_strategy: StrategyOption = None,
    chunk_tokens: TokensOption = None,
    chunk_overlap: OverlapOption = None,
    prompt: PromptOption = None,
    prompt_file: PromptFileOption = None,
    no_prompt: Annotated[
        bool, typer.Option("--no-prompt", help=system_text("cli.kb.set.no_prompt"))
    ] = False,
    general: Annotated[
        bool, typer.Option("--general", help=system_text("cli.kb.set.general"))
    ] = False,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Change how a knowledge base cuts documents, and what the chat model is told about it."""
    session = Session.begin(context, home)
    settings = KnowledgeBaseSettings(
        chunk_strategy=chunk_strategy,
        chunk_tokens=chunk_tokens,
        chunk_overlap=chunk_overlap,
        prompt=_said_prompt(session, prompt, prompt_file),
    )
    forgotten = _Forgotten(everything=general, prompt=no_prompt)
    _configure_base(session, name, settings, forgotten, as_json=json_output)


@app.command("delete", help=system_text("cli.kb.delete.help"))
def kb_delete(
    context: typer.Context,
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=system_text("cli.option.yes"))] = False,
    home: HomeOption = None,
) -> None:
    """Delete a knowledge base, after asking where a person can answer."""
    session = Session.begin(context, home)

    async def count(app: App) -> KnowledgeBase:
        return await app.bases.get(name)

    async def delete(app: App) -> KnowledgeBase:
        return await app.delete_base(name)

    base = session.run(count)
    if not yes:
        question = session.text("cli.kb.confirm", name=base.name, documents=base.documents)
        session.confirm(question)
    session.run(delete)
    session.note("cli.kb.deleted", name=base.name, documents=base.documents)


@app.command("stats", help=system_text("cli.kb.stats.help"))
def kb_stats(
    context: typer.Context,
    name: OptionalNameArgument = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show what one knowledge base holds."""
    session = Session.begin(context, home)

    async def work(app: App) -> Shown:
        base = await app.base(name)
        return base, app.chunking(base)

    base, chunking = session.run(work)
    if json_output:
        session.print_json(knowledge_base_payload(base, chunking))
        return
    shown = {"name": base.name, **{column: getattr(base, column) for column in _COUNTS}}
    shown["chunking"] = _described(session, base, chunking)
    for column, value in shown.items():
        session.show_field(session.text(f"cli.kb.{column}"), value)
    if base.settings.prompt:
        session.show_field(session.text("cli.kb.prompt"), base.settings.prompt)


def _said_prompt(session: Session, prompt: str | None, file: Path | None) -> str | None:
    """Return the prompt that a user gives as it stands or in a file; None where none is given."""
    if prompt is not None and file is not None:
        raise typer.BadParameter(session.text("cli.kb.prompt.both"), param_hint="--prompt-file")
    if file is None:
        return prompt
    try:
        return file.read_text("utf-8-sig")
    except FileNotFoundError:
        fail(NotFoundError("error.path_missing", path=file), session.locale)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "UTF-8"
        fail(InputError("error.kb_prompt_file", path=file, reason=reason), session.locale)


def _configure_base(
    session: Session,
    name: str,
    settings: KnowledgeBaseSettings,
    forgotten: _Forgotten,
    *,
    as_json: bool,
) -> None:
    """Change what is given of a knowledge base's settings; leave the others, or forget them.

    Args:
        session: The run.
        name: Which knowledge base.
        settings: What is given; None says nothing.
        forgotten: What is forgotten first.
        as_json: Whether a program reads it.
    """
    given = {field: value for field, value in asdict(settings).items() if value is not None}

    async def work(app: App) -> Shown:
        # Settings that cannot be read can still be forgotten.
        before = KnowledgeBaseSettings()
        if not forgotten.everything:
            before = forgotten.of((await app.bases.get(name)).settings)
        base = await app.bases.configure(name, replace(before, **given))
        return base, app.chunking(base)

    base, chunking = session.run(work)
    if as_json:
        session.print_json(knowledge_base_payload(base, chunking))
        return
    if forgotten.prompt or "prompt" in given:
        session.note(f"cli.kb.prompt.{'set' if base.settings.prompt else 'gone'}", name=base.name)
        if given.keys() <= {"prompt"} and not forgotten.everything:
            return
    session.note("cli.kb.configured", name=base.name, chunking=_described(session, base, chunking))
    if base.documents:
        session.note("cli.kb.add_again")


def _described(session: Session, base: KnowledgeBase, chunking: Chunking) -> str:
    """Return how documents are cut, in few words; what only this knowledge base does is marked."""
    text = session.text("cli.kb.cut", strategy=chunking.strategy.value, tokens=chunking.max_tokens)
    if chunking.shared:
        text += session.text("cli.kb.shared", tokens=chunking.shared)
    own = replace(base.settings, prompt=None) != KnowledgeBaseSettings()
    return session.text("cli.kb.own", chunking=text) if own else text
