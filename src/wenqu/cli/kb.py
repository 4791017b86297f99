"""``wenqu kb``: knowledge bases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from wenqu.payloads import knowledge_base_payload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.app import App
    from wenqu.cli.session import Session
    from wenqu.types import KnowledgeBase

__all__ = ["create_base", "delete_base", "list_bases", "show_stats"]


def list_bases(session: Session, *, as_json: bool) -> None:
    """Show all knowledge bases with their counts."""

    async def work(app: App) -> Sequence[KnowledgeBase]:
        return await app.bases.list()

    bases = session.run(work)
    if as_json:
        session.print_json([knowledge_base_payload(base) for base in bases])
        return
    if not bases:
        session.note("cli.kb.none")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("name", "documents", "chunks", "characters"):
        justify = "left" if column == "name" else "right"
        table.add_column(session.text(f"cli.kb.{column}"), justify=justify)  # type: ignore[arg-type]
    for base in bases:
        table.add_row(base.name, str(base.documents), str(base.chunks), str(base.characters))
    session.out.print(table)


def create_base(session: Session, name: str, *, as_json: bool) -> None:
    """Create an empty knowledge base."""

    async def work(app: App) -> KnowledgeBase:
        return await app.bases.create(name)

    base = session.run(work)
    if as_json:
        session.print_json(knowledge_base_payload(base))
    else:
        session.note("cli.kb.created", name=base.name)


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

    async def work(app: App) -> KnowledgeBase:
        return await app.base(name)

    base = session.run(work)
    if as_json:
        session.print_json(knowledge_base_payload(base))
        return
    for column, value in knowledge_base_payload(base).items():
        session.out.print(f"{session.text(f'cli.kb.{column}')}: {value}", markup=False)
