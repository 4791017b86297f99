"""``wenqu models``: what there is, what it needs, fetching, checking, removing, measuring.

A name is one of the catalog's; wherever a file will do, the path of any GGUF is taken too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wenqu.cli.deferred import Group
from wenqu.cli.engine import tune_first, tune_models
from wenqu.cli.session import Exit, HomeOption, JsonOption, Session, fail, system_text
from wenqu.errors import InputError, WenquError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.app import App
    from wenqu.models.speed import Speed

__all__ = ["app"]

app = Group("cli.models.help")

_GB = 1e9
_CONTEXT = 4096
_NAME_WIDTH = 20
_PIPE_WIDTH = 200  # nothing is cut off where no one looks

ContextOption = Annotated[
    int, typer.Option("--context", min=256, help=system_text("cli.models.context"))
]
ModelArgument = Annotated[
    str | None, typer.Argument(help=system_text("cli.models.model"), show_default=False)
]


@app.command("list", help=system_text("cli.models.list.help"))
def list_models(
    context: typer.Context,
    context_tokens: ContextOption = _CONTEXT,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show the models of the catalog and the folder, what they need, and whether that fits."""
    from wenqu.models.catalog import CATALOG
    from wenqu.models.fetch import others
    from wenqu.models.memory import free_memory

    session = Session.begin(context, home)
    folder, free = session.settings.models_dir, free_memory()
    models = [_of_catalog(session, name, context_tokens, free) for name in CATALOG]
    for path in others(folder):
        try:
            models.append(_of_file(path, context_tokens, free))
        except WenquError as error:
            session.show_error(error)
    if json_output:
        session.print_json(models)
        return
    _show_table(session, models)
    shown = "–" if free is None else f"{free / _GB:.1f}"
    session.note("cli.models.list.note", context=context_tokens, free=shown, folder=folder)


@app.command("show", help=system_text("cli.models.show.help"))
def show_model(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help=system_text("cli.models.model"))],
    context_tokens: ContextOption = _CONTEXT,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show all that is known of one model."""
    from wenqu.models.fetch import is_path
    from wenqu.models.memory import free_memory

    session = Session.begin(context, home)
    try:
        if is_path(model):
            shown = _of_file(Path(model).expanduser(), context_tokens, free_memory())
        else:
            shown = _of_catalog(session, model, context_tokens, free_memory())
            if shown["role"] == "chat" and shown["path"]:
                shown = {**_of_file(Path(shown["path"]), context_tokens, free_memory()), **shown}
    except WenquError as error:
        fail(error, session.locale)
    if json_output:
        session.print_json(shown)
    else:
        _show_one(session, shown, context_tokens)


@app.command("pull", help=system_text("cli.models.pull.help"))
def pull_models(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(help=system_text("cli.models.pull.names"))
    ] = None,
    origin: Annotated[
        Path | None,
        typer.Option("--from", help=system_text("cli.models.pull.from"), show_default=False),
    ] = None,
    link: Annotated[bool, typer.Option("--link", help=system_text("cli.models.pull.link"))] = False,
    tune: Annotated[
        bool, typer.Option("--tune/--no-tune", help=system_text("cli.models.pull.tune"))
    ] = True,
    home: HomeOption = None,
) -> None:
    """Fetch models, by default those that wenqu uses by default."""
    from wenqu.app import DEFAULT_CHAT_MODEL, OCR_MODEL

    session = Session.begin(context, home)
    models = session.settings.models
    try:
        wanted = names or [models.embedder, OCR_MODEL, DEFAULT_CHAT_MODEL]
        if not names and models.dictionary != "none":
            wanted.insert(1, models.dictionary)
        if origin is not None:
            wanted = [_named_for(names or [], origin)]
    except WenquError as error:
        fail(error, session.locale)

    async def work(app: App) -> None:
        for name in wanted:
            path = await app.fetch(name, origin, link=link)
            session.note("cli.models.pulled", name=name, path=path)
            if name == models.dictionary:
                await app.dictionary()
            if tune and any(e.name == name and e.role == "chat" for e, _ in app.models()):
                await tune_first(session, name, path)

    session.run(work)


@app.command("verify", help=system_text("cli.models.verify.help"))
def verify_models(
    context: typer.Context, json_output: JsonOption = False, home: HomeOption = None
) -> None:
    """Check the hash of each model that is here; leaves with 1 where one is wrong."""
    import asyncio

    session = Session.begin(context, home)

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
    if json_output:
        session.print_json(checked)
    else:
        if not checked:
            session.note("cli.models.none")
        for one in checked:
            key = "cli.models.good" if one["ok"] else "cli.models.bad"
            session.out.print(session.text(key, name=one["name"], path=one["path"]), markup=False)
    if not all(one["ok"] for one in checked):
        raise typer.Exit(Exit.FAILED)


@app.command("remove", help=system_text("cli.models.remove.help"))
def remove_models(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(help=system_text("cli.models.remove.names"))],
    yes: Annotated[bool, typer.Option("--yes", "-y", help=system_text("cli.option.yes"))] = False,
    home: HomeOption = None,
) -> None:
    """Remove models' files from this machine, after asking where a person can answer."""
    from wenqu.models.catalog import find
    from wenqu.models.fetch import footprint, remove

    session = Session.begin(context, home)
    folder = session.settings.models_dir
    try:
        entries = [find(name) for name in names]
        for entry in entries:
            size = sum(footprint(entry, folder).values())
            if not size:
                session.note("cli.models.remove.nothing", name=entry.name)
                continue
            if not yes:
                shown = f"{size / 1e6:.0f}"
                question = session.text("cli.models.remove.confirm", name=entry.name, size=shown)
                session.confirm(question)
            freed = remove(entry, folder)
            session.note("cli.models.removed", name=entry.name, size=f"{freed / 1e6:.0f}")
    except WenquError as error:
        fail(error, session.locale)


@app.command("bench", help=system_text("cli.models.bench.help"))
def bench_model(
    context: typer.Context,
    model: ModelArgument = None,
    prompt_tokens: Annotated[
        int, typer.Option("--prompt", min=16, help=system_text("cli.models.bench.prompt"))
    ] = 256,
    answer_tokens: Annotated[
        int, typer.Option("--answer", min=4, help=system_text("cli.models.bench.answer"))
    ] = 64,
    runs: Annotated[
        int, typer.Option("--runs", min=1, help=system_text("cli.models.bench.runs"))
    ] = 3,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Measure how fast a model reads and writes."""
    from dataclasses import asdict

    from wenqu.models.speed import SpeedPlan, measure

    session = Session.begin(context, home)
    plan = SpeedPlan(prompt_tokens=prompt_tokens, answer_tokens=answer_tokens, runs=runs)

    async def work(app: App) -> Speed:
        from wenqu.cli.progress import Bar

        chat = app.chat_model_named(model)
        try:
            with Bar(session.err, chat.name) as bar:
                return await measure(chat, plan, bar.update)
        finally:
            await chat.close()

    speed = session.run(work)
    if json_output:
        session.print_json({key: _rounded(value) for key, value in asdict(speed).items()})
    else:
        _show_speed(session, speed)


app.command("tune", help=system_text("cli.models.tune.help"))(tune_models)


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value


def _named_for(names: Sequence[str], origin: Path) -> str:
    """Return which model a local file is to become: the one named, else the one of its size.

    Raises:
        InputError: Several are named, or none is of its size.
    """
    from wenqu.models.catalog import CATALOG

    if len(names) == 1:
        return names[0]
    size = origin.stat().st_size if origin.is_file() else -1
    fitting = [entry.name for entry in CATALOG.values() if entry.size == size]
    if names or len(fitting) != 1:
        raise InputError("error.model_origin_name", path=origin)
    return fitting[0]


def _of_catalog(session: Session, name: str, context: int, free: int | None) -> dict[str, Any]:
    from wenqu.models.catalog import find
    from wenqu.models.fetch import located

    entry = find(name)
    path = located(entry, session.settings.models_dir)
    table: dict[int, int] = {}
    needed = None
    if entry.shape is not None:
        table = entry.shape.table(context)
        needed = entry.shape.memory(entry.size, context)
    return {
        "name": entry.name,
        "role": entry.role,
        "licence": entry.licence,
        "size_mb": round(entry.size / 1e6),
        "sha256": entry.sha256,
        "path": str(path) if path else None,
        **_memory(table, needed, free),
    }


def _of_file(path: Path, context: int, free: int | None) -> dict[str, Any]:
    """Return what a GGUF file's header says.

    Raises:
        ModelError: It is none, or damaged.
    """
    from wenqu.models.gguf import read_gguf

    header = read_gguf(path)
    return {
        "name": path.stem,
        "role": "chat",
        "licence": header.licence or None,
        "size_mb": round(header.file_bytes / 1e6),
        "sha256": None,
        "path": str(path),
        **_memory(header.shape.table(context), header.memory(context), free),
        "title": header.title,
        "architecture": header.architecture,
        "parameters": header.shape.parameters,
        "quantisation": header.quantisation,
        "bits_per_weight": round(header.bits_per_weight, 2),
        "layers": header.layers,
        "trained_context": header.context,
        "vocabulary": header.shape.tokens,
        "cache_bytes_per_token": header.shape.kv_bytes,
        "files": header.files,
    }


def _memory(table: dict[int, int], needed: int | None, free: int | None) -> dict[str, Any]:
    from wenqu.models.memory import fit

    return {
        "memory": {str(bits): size for bits, size in table.items()} or None,
        "needed": needed,
        "fits": None if needed is None else fit(needed, free),
    }


def _gigabytes(size: int | None) -> str:
    return "–" if size is None else f"{size / _GB:.1f}"


def _show_table(session: Session, models: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for column in ("name", "role", "size", "licence", "bits4", "bits8", "bits16", "fits", "here"):
        right = column in {"size", "bits4", "bits8", "bits16"}
        table.add_column(
            session.text(f"cli.models.column.{column}"),
            justify="right" if right else "left",
            overflow="fold",
            min_width=_NAME_WIDTH if column == "name" else None,
            no_wrap=column != "name",
        )
    for model in models:
        memory = model["memory"] or {}
        table.add_row(
            model["name"],
            session.text(f"cli.models.role.{model['role']}"),
            f"{model['size_mb']} MB",
            model["licence"] or "–",
            *(_gigabytes(memory.get(bits)) for bits in ("4", "8", "16")),
            session.text(f"cli.models.fits.{model['fits']}") if model["fits"] else "–",
            "✓" if model["path"] else "–",
        )
    console = session.out
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    console.print(table)


def _show_one(session: Session, model: dict[str, Any], context: int) -> None:
    memory = model["memory"] or {}
    parameters = model.get("parameters")
    rows = {
        "name": model["name"],
        "title": model.get("title"),
        "role": session.text(f"cli.models.role.{model['role']}"),
        "licence": model["licence"],
        "size": f"{model['size_mb']} MB",
        "sha256": model["sha256"],
        "path": model["path"] or session.text("cli.models.absent"),
        "architecture": model.get("architecture"),
        "parameters": f"{parameters / 1e9:.2f} · 10⁹" if parameters else None,
        "quantisation": model.get("quantisation"),
        "bits_per_weight": model.get("bits_per_weight"),
        "layers": model.get("layers"),
        "trained_context": model.get("trained_context"),
        "cache": model.get("cache_bytes_per_token"),
        "files": model.get("files") if model.get("files", 1) > 1 else None,
        "needed": _gigabytes(model["needed"]) if model["needed"] else None,
        **{f"bits{bits}": _gigabytes(size) for bits, size in memory.items()},
        "fits": session.text(f"cli.models.fits.{model['fits']}") if model["fits"] else None,
    }
    for key, value in rows.items():
        if value is not None and value != "":
            label = session.text(f"cli.models.column.{key}", context=context)
            session.show_field(label, value)


def _show_speed(session: Session, speed: Speed) -> None:
    shown = {
        "load": f"{speed.load_s:.1f} s",
        "first": f"{speed.first_s:.2f} s",
        "prompt": f"{speed.prompt_per_s:.1f}",
        "answer": f"{speed.answer_per_s:.1f}",
    }
    session.out.print(
        session.text(
            "cli.models.bench.of",
            model=speed.model,
            runs=speed.runs,
            prompt=speed.prompt_tokens,
            answer=speed.answer_tokens,
        ),
        markup=False,
    )
    for key, value in shown.items():
        session.show_field(session.text(f"cli.models.bench.{key}_is"), value)
    if not speed.counted:
        session.note("cli.models.bench.estimated")
