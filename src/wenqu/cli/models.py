"""``wenqu models``: what the catalog has, what is here, and whether it is what it should be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from wenqu.app import DEFAULT_CHAT_MODEL, OCR_MODEL
from wenqu.cli.session import Exit, Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.app import App

__all__ = ["list_models", "pull_models", "verify_models"]


def list_models(session: Session, *, as_json: bool) -> None:
    """Show the models of the catalog, and which of them are here."""

    async def work(app: App) -> list[dict[str, object]]:
        return [
            {
                "name": entry.name,
                "role": entry.role,
                "licence": entry.licence,
                "size_mb": round(entry.size / 1e6),
                "sha256": entry.sha256,
                "path": str(path) if path else None,
            }
            for entry, path in app.models()
        ]

    models = session.run(work)
    if as_json:
        session.print_json(models)
        return
    for model in models:
        here = session.text("cli.models.here" if model["path"] else "cli.models.absent")
        line = (
            f"{model['name']}  {model['role']}  {model['licence']}  {model['size_mb']} MB  {here}"
        )
        session.out.print(line, markup=False)


def pull_models(session: Session, names: Sequence[str]) -> None:
    """Fetch models, by default those that wenqu uses by default."""
    wanted = names or [session.settings.models.embedder, OCR_MODEL, DEFAULT_CHAT_MODEL]

    async def work(app: App) -> None:
        for name in wanted:
            path = await asyncio.to_thread(app.pull, name)
            session.note("cli.models.pulled", name=name, path=path)

    session.run(work)


def verify_models(session: Session, *, as_json: bool) -> None:
    """Check the hash of each model that is here; leaves with 1 where one is wrong."""

    async def work(app: App) -> list[dict[str, object]]:
        return [
            {
                "name": entry.name,
                "path": str(path),
                "ok": await asyncio.to_thread(app.verify, entry),
            }
            for entry, path in app.models()
            if path is not None
        ]

    checked = session.run(work)
    if as_json:
        session.print_json(checked)
    else:
        if not checked:
            session.note("cli.models.none")
        for one in checked:
            key = "cli.models.good" if one["ok"] else "cli.models.bad"
            session.out.print(session.text(key, name=one["name"], path=one["path"]), markup=False)
    if not all(one["ok"] for one in checked):
        raise typer.Exit(Exit.FAILED)
