"""``wenqu add``: brings files in and says what became of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.cli.session import Exit, HomeOption, JsonOption, Session, system_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.app import AddOptions, App
    from wenqu.pipeline.ingest import FileOutcome, IngestReport

__all__ = ["add"]


def add(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    targets: Annotated[list[str], typer.Argument(help=system_text("cli.add.targets"))],
    kb: Annotated[
        str | None, typer.Option("--kb", "-k", help=system_text("cli.add.kb"), show_default=False)
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help=system_text("cli.add.ignore"))
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help=system_text("cli.add.prune"))] = False,
    password: Annotated[
        list[str] | None, typer.Option("--password", help=system_text("cli.add.password"))
    ] = None,
    depth: Annotated[
        int, typer.Option("--depth", min=0, max=10, help=system_text("cli.add.depth"))
    ] = 0,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help=system_text("cli.add.allow_private"))
    ] = False,
    tag: Annotated[list[str] | None, typer.Option("--tag", help=system_text("cli.add.tag"))] = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Add files, folders, pages and repositories."""
    from wenqu.app import DEFAULT_BASE, AddOptions

    _add(
        Session.begin(context, home),
        kb or DEFAULT_BASE,
        targets,
        AddOptions(
            ignore=ignore or [],
            prune=prune,
            passwords=password or [],
            depth=depth,
            allow_private=allow_private,
            tags=tag or [],
        ),
        as_json=json_output,
    )


def _add(
    session: Session,
    kb: str,
    targets: Sequence[str],
    how: AddOptions,
    *,
    as_json: bool,
) -> None:
    """Add the files, show the outcome of each as it becomes certain, then a summary."""
    from wenqu.cli.progress import Bar
    from wenqu.pipeline.ingest import FileStatus

    counts = {"done": 0, "total": 0}

    async def work(app: App) -> IngestReport:
        with Bar(session.err, session.text("cli.add.bar")) as bar:

            def found(more: int) -> None:
                counts["total"] += more

            def outcome(one: FileOutcome) -> None:
                counts["done"] += 1
                if not as_json and one.status is not FileStatus.UNCHANGED:
                    bar.print(_line(session, one))
                bar.update(counts["done"], counts["total"])

            return await app.add(kb, targets, how, on_found=found, on_outcome=outcome)

    report = session.run(work)
    if as_json:
        session.print_json(_payload(session, kb, report))
    else:
        session.note("cli.add.summary", kb=kb, **_counts(report))
    if report.count(FileStatus.FAILED):
        raise typer.Exit(Exit.SOME_UNREAD)


def _line(session: Session, one: FileOutcome) -> str:
    from rich.markup import escape

    mark = session.text(f"cli.add.status.{one.status.value}")
    if one.error is None:
        chunks = session.text("cli.add.chunks", count=one.chunks) if one.chunks else ""
        return f"{mark} {escape(one.source)} {chunks}".rstrip()
    reason = one.error.message(session.locale)
    said = reason if one.source in reason else f"{one.source}: {reason}"
    hint = one.error.hint(session.locale)
    return f"{mark} {escape(said)}" + (f"\n    {escape(hint)}" if hint else "")


def _counts(report: IngestReport) -> dict[str, object]:
    from wenqu.pipeline.ingest import FileStatus

    counts: dict[str, object] = {status.value: report.count(status) for status in FileStatus}
    return {**counts, "chunks": report.chunks, "seconds": f"{report.seconds:.1f}"}


def _payload(session: Session, kb: str, report: IngestReport) -> dict[str, object]:
    from wenqu.pipeline.ingest import FileStatus

    return {
        "kb": kb,
        "counts": {status.value: report.count(status) for status in FileStatus},
        "chunks": report.chunks,
        "seconds": round(report.seconds, 3),
        "busy_ms": {stage: round(ms, 1) for stage, ms in report.busy_ms.items()},
        "files": [
            {
                "source": one.source,
                "status": one.status.value,
                "chunks": one.chunks,
                "error": one.error.message(session.locale) if one.error else None,
                "hint": one.error.hint(session.locale) if one.error else None,
            }
            for one in report.outcomes
        ],
    }
