"""``wenqu kb``: knowledge bases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from wenqu.payloads import knowledge_base_payload
from wenqu.types import KnowledgeBaseSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.app import App
    from wenqu.cli.session import Session
    from wenqu.types import Chunking, KnowledgeBase

    Shown = tuple[KnowledgeBase, Chunking]

__all__ = ["configure_base", "create_base", "delete_base", "list_bases", "show_stats"]

_COUNTS = ("documents", "chunks", "characters")


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
    table.add_column(session.text("cli.kb.name"))
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


def configure_base(
    session: Session,
    name: str,
    settings: KnowledgeBaseSettings,
    *,
    general: bool,
    as_json: bool,
) -> None:
    """Change what is given of a knowledge base's settings; leave the others, or forget them.

    Args:
        session: The run.
        name: Which knowledge base.
        settings: What is given; None says nothing.
        general: Forget all its own settings first.
        as_json: Whether a program reads it.
    """
    given = {
        field: value
        for field in ("chunk_strategy", "chunk_tokens", "chunk_overlap")
        if (value := getattr(settings, field)) is not None
    }

    async def work(app: App) -> Shown:
        before = KnowledgeBaseSettings() if general else (await app.bases.get(name)).settings
        base = await app.bases.configure(name, replace(before, **given))
        return base, app.chunking(base)

    base, chunking = session.run(work)
    if as_json:
        session.print_json(knowledge_base_payload(base, chunking))
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
        typer.confirm(question, abort=True)
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


def _described(session: Session, base: KnowledgeBase, chunking: Chunking) -> str:
    """Return how documents are cut, in few words; what only this knowledge base does is marked."""
    text = session.text("cli.kb.cut", strategy=chunking.strategy.value, tokens=chunking.max_tokens)
    if chunking.shared:
        text += session.text("cli.kb.shared", tokens=chunking.shared)
    return f"{text} *" if base.settings != KnowledgeBaseSettings() else text
