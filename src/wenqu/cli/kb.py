"""``wenqu kb``: knowledge bases."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import typer

from wenqu.cli.session import fail
from wenqu.errors import InputError, NotFoundError
from wenqu.payloads import knowledge_base_payload
from wenqu.types import KnowledgeBaseSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wenqu.app import App
    from wenqu.cli.session import Session
    from wenqu.types import Chunking, KnowledgeBase

    Shown = tuple[KnowledgeBase, Chunking]

__all__ = [
    "Forgotten",
    "configure_base",
    "create_base",
    "delete_base",
    "list_bases",
    "said_prompt",
    "show_stats",
]

_COUNTS = ("documents", "chunks", "characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """Which of a knowledge base's own settings are forgotten before new ones are taken."""

    everything: bool = False
    prompt: bool = False

    def of(self, settings: KnowledgeBaseSettings) -> KnowledgeBaseSettings:
        """Return what is left of ``settings``."""
        return replace(settings, prompt=None) if self.prompt else settings


def list_bases(session: Session, *, as_json: bool) -> None:
    """Show all knowledge bases with their counts, and how they cut documents."""

    async def work(app: App) -> Sequence[Shown]:
        return [(base, app.chunking(base)) for base in await app.bases.list()]

    bases = session.run(work)
    if as_json:
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


def create_base(
    session: Session, name: str, settings: KnowledgeBaseSettings, *, as_json: bool
) -> None:
    """Create an empty knowledge base."""

    async def work(app: App) -> Shown:
        base = await app.bases.create(name, settings)
        return base, app.chunking(base)

    base, chunking = session.run(work)
    if as_json:
        session.print_json(knowledge_base_payload(base, chunking))
    else:
        session.note("cli.kb.created", name=base.name)


def said_prompt(session: Session, prompt: str | None, file: Path | None) -> str | None:
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


def configure_base(
    session: Session,
    name: str,
    settings: KnowledgeBaseSettings,
    forgotten: Forgotten,
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


def delete_base(session: Session, name: str, *, yes: bool) -> None:
    """Delete a knowledge base, after asking where a person can answer."""

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


def show_stats(session: Session, name: str | None, *, as_json: bool) -> None:
    """Show what one knowledge base holds."""

    async def work(app: App) -> Shown:
        base = await app.base(name)
        return base, app.chunking(base)

    base, chunking = session.run(work)
    if as_json:
        session.print_json(knowledge_base_payload(base, chunking))
        return
    shown = {"name": base.name, **{column: getattr(base, column) for column in _COUNTS}}
    shown["chunking"] = _described(session, base, chunking)
    for column, value in shown.items():
        session.out.print(f"{session.text(f'cli.kb.{column}')}: {value}", markup=False)
    if base.settings.prompt:
        session.out.print(f"{session.text('cli.kb.prompt')}: {base.settings.prompt}", markup=False)


def _described(session: Session, base: KnowledgeBase, chunking: Chunking) -> str:
    """Return how documents are cut, in few words; what only this knowledge base does is marked."""
    text = session.text("cli.kb.cut", strategy=chunking.strategy.value, tokens=chunking.max_tokens)
    if chunking.shared:
        text += session.text("cli.kb.shared", tokens=chunking.shared)
    own = replace(base.settings, prompt=None) != KnowledgeBaseSettings()
    return f"{text} *" if own else text
