"""``wenqu doctor``: what is installed, which models are here, and what would go wrong."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import tempfile
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import typer

from wenqu.cli.session import Exit, HomeOption, JsonOption, Session
from wenqu.errors import StoreError, WenquError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wenqu.app import App
    from wenqu.types import KnowledgeBase

__all__ = ["doctor"]

_LIBRARIES = ("openvino", "onnxruntime", "tantivy", "faiss-cpu", "xllamacpp", "SQLAlchemy")
_LOW_DISK_GB = 3


class Health(StrEnum):
    """How a check came out: ``note`` is worth knowing, ``bad`` stops something."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    health: Health
    detail: str
    hint: str | None = None


def doctor(
    context: typer.Context, json_output: JsonOption = False, home: HomeOption = None
) -> None:
    """Look at everything; leaves with 1 where something would stop wenqu."""
    session = Session.begin(context, home)

    async def work(app: App) -> list[Check]:
        return [
            _python(),
            *_libraries(session),
            _home(session),
            *await _database(session, app),
            *await _models(session, app),
            _chat(session, app),
        ]

    checks = session.run(work)
    if json_output:
        session.print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            _show(session, check)
    if any(check.health is Health.BAD for check in checks):
        raise typer.Exit(Exit.FAILED)


def _show(session: Session, check: Check) -> None:
    mark = {Health.GOOD: "[green]✓[/]", Health.NOTE: "[yellow]•[/]", Health.BAD: "[red]✗[/]"}
    session.out.print(mark[check.health], end=" ")
    session.show_field(check.name, check.detail)
    if check.hint:
        session.out.print(f"  {check.hint}", style="dim", markup=False)


def _python() -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    detail = f"{platform.python_version()}, {platform.machine()}, {cores} CPU"
    return Check("Python", Health.GOOD, detail)


def _libraries(session: Session) -> list[Check]:
    checks = []
    for name in _LIBRARIES:
        try:
            checks.append(Check(name, Health.GOOD, version(name)))
        except PackageNotFoundError:
            hint = session.text("cli.doctor.install", name=name)
            checks.append(Check(name, Health.BAD, session.text("cli.doctor.missing"), hint))
    if importlib.util.find_spec("pip") is None:
        hint = session.text("cli.doctor.pip_hint")
        checks.append(Check("pip", Health.NOTE, session.text("cli.doctor.missing"), hint))
    return checks


def _home(session: Session) -> Check:
    name = session.text("cli.doctor.home_name")
    home = session.settings.home
    existing = _existing(home)
    free_gb = shutil.disk_usage(existing).free / 1e9
    detail = session.text("cli.doctor.home", path=home, free=f"{free_gb:.0f}")
    if _unwritable(existing):
        return Check(name, Health.BAD, detail, session.text("cli.doctor.unwritable"))
    if free_gb < _LOW_DISK_GB:
        return Check(name, Health.NOTE, detail, session.text("cli.doctor.low_disk"))
    return Check(name, Health.GOOD, detail)


def _existing(folder: Path) -> Path:
    """Return the folder itself, or the nearest above it that is there."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def _unwritable(folder: Path) -> str | None:
    """Return why nothing can be written to a folder, None where it can: by trying."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"wenqu")
    except OSError as error:
        return error.strerror or str(error)
    return None


async def _database(session: Session, app: App) -> list[Check]:
    name = session.text("cli.doctor.database_name")
    try:
        bases = await app.bases.list()
    except WenquError as error:
        return [_broken(session, name, error)]
    detail = session.text(
        "cli.doctor.database",
        bases=len(bases),
        documents=sum(base.documents for base in bases),
        chunks=sum(base.chunks for base in bases),
    )
    return [Check(name, Health.GOOD, detail), *await _indexes(session, app, bases)]


def _broken(session: Session, name: str, error: WenquError) -> Check:
    return Check(name, Health.BAD, error.message(session.locale), error.hint(session.locale))


async def _indexes(session: Session, app: App, bases: Sequence[KnowledgeBase]) -> list[Check]:
    """Look whether indexes can be written, and search in each that is built already."""
    name = session.text("cli.doctor.index_name")
    try:
        _check_writable(app.indexes_dir)
    except StoreError as error:
        return [_broken(session, name, error)]
    embedder = session.settings.models.embedder
    may_search = any(path for entry, path in app.models() if entry.name == embedder)
    said, broken = [], []
    for base in bases:
        folder = app.indexes_dir / str(base.id)
        built = (folder / "manifest.json").exists()
        try:
            _check_writable(folder)
            if built and may_search:
                await app.search(base.name, base.name)
        except WenquError as error:
            broken.append(_broken(session, f"{name} ({base.name})", error))
        else:
            key = "cli.doctor.indexed" if built else "cli.doctor.unindexed"
            said.append(session.text(key, kb=base.name))
    return [*([Check(name, Health.GOOD, ", ".join(said))] if said else []), *broken]


def _check_writable(index: Path) -> None:
    if reason := _unwritable(_existing(index)):
        raise StoreError("error.index_folder", path=index, reason=reason)


async def _models(session: Session, app: App) -> list[Check]:
    checks = []
    for entry, path in app.models():
        if path is not None and entry.name == session.settings.models.embedder:
            checks.append(await _embedder(session, app, path))
        elif path is not None:
            checks.append(Check(entry.name, Health.GOOD, str(path)))
        elif entry.name in {session.settings.models.embedder, session.settings.models.dictionary}:
            hint = session.text("cli.doctor.pull", name=entry.name)
            detail = session.text("cli.models.absent")
            checks.append(Check(entry.name, Health.NOTE, detail, hint))
    return checks


async def _embedder(session: Session, app: App, path: Path) -> Check:
    name = session.settings.models.embedder
    try:
        engine, note = await app.try_embedder()
    except WenquError as error:
        return _broken(session, name, error)
    health = Health.NOTE if note else Health.GOOD
    return Check(name, health, f"{path} ({engine})", note)


def _chat(session: Session, app: App) -> Check:
    name = session.text("cli.doctor.chat")
    try:
        model = app.chat_model()
    except WenquError as error:
        return _broken(session, name, error)
    if model is None:
        hint = session.text("cli.doctor.chat_hint")
        return Check(name, Health.NOTE, session.text("cli.doctor.extractive"), hint)
    return Check(name, Health.GOOD, session.settings.chat.base_url or model.name)
