"""``wenqu search``: the best passages with the score of every stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.cli.filters import (
    FolderOption,
    SinceOption,
    SourceOption,
    TagOption,
    TitleOption,
    UntilOption,
    search_filter,
)
from wenqu.cli.session import HomeOption, JsonOption, KbOption, Session, system_text

if TYPE_CHECKING:
    from wenqu.app import App
    from wenqu.options import SearchOptions
    from wenqu.types import Hit, SearchHits

__all__ = ["search"]

_SHOWN = 240


def search(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    question: Annotated[str, typer.Argument(help=system_text("cli.search.question"))],
    kb: KbOption = None,
    top: Annotated[
        int, typer.Option("--top", "-n", min=1, max=1000, help=system_text("cli.search.top"))
    ] = 10,
    source: SourceOption = None,
    folder: FolderOption = None,
    title: TitleOption = None,
    tag: TagOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    diversity: Annotated[
        float | None,
        typer.Option(
            "--diversity",
            min=0,
            max=1,
            help=system_text("cli.search.diversity"),
            show_default=False,
        ),
    ] = None,
    rerank: Annotated[
        bool, typer.Option("--rerank/--no-rerank", help=system_text("cli.search.rerank"))
    ] = True,
    collapse: Annotated[
        bool, typer.Option("--collapse/--no-collapse", help=system_text("cli.search.collapse"))
    ] = True,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show the best passages."""
    from wenqu.options import SearchOptions
    from wenqu.payloads import search_payload

    where = search_filter(
        source=source, folder=folder, title=title, tag=tag, since=since, until=until
    )
    how = SearchOptions(top=top, where=where, diversity=diversity, rerank=rerank, collapse=collapse)
    session = Session.begin(context, home)

    async def work(app: App) -> SearchHits:
        return await app.search(kb, question, how)

    found = session.run(work)
    if json_output:
        session.print_json(search_payload(found))
    else:
        _show(session, found, how)


def _show(session: Session, found: SearchHits, how: SearchOptions) -> None:
    if not found.hits:
        session.note("cli.search.nothing_meets" if how.where else "cli.search.nothing")
    for rank, hit in enumerate(found.hits, start=1):
        _show_hit(session, rank, hit)
    for stage in found.trace.stages:
        if stage.skipped and found.hits:
            session.note_skipped(stage)
        elif left_out := stage.detail.get("left_out"):
            session.note("cli.search.left_out", count=left_out)


def _show_hit(session: Session, rank: int, hit: Hit) -> None:
    from wenqu.types import Origin

    out = session.out
    page = session.text("cli.ask.page", page=hit.chunk.page) if hit.chunk.page else ""
    path = " › ".join(dict.fromkeys([hit.document.title, *hit.chunk.heading]))
    out.print(f"{rank}. {path}  {page}".rstrip(), style="bold", markup=False)
    scores = "  ".join(
        f"{session.text(f'cli.search.{origin.value}')} {hit.scores[origin]:.3f}"
        for origin in Origin
        if origin in hit.scores
    )
    out.print(f"   {scores}", style="cyan", markup=False)
    text = " ".join(hit.chunk.text.split())
    out.print(f"   {text[:_SHOWN]}{'…' if len(text) > _SHOWN else ''}", markup=False)
    out.print(
        f"   {hit.document.source}:{hit.chunk.start}-{hit.chunk.end}", style="dim", markup=False
    )
