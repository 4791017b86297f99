"""``wenqu search``: the best passages with the score of every stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.options import SearchOptions
from wenqu.payloads import search_payload
from wenqu.types import Origin

if TYPE_CHECKING:
    from wenqu.app import App
    from wenqu.cli.session import Session
    from wenqu.types import Hit, SearchHits

__all__ = ["search_passages"]

_SHOWN = 240


def search_passages(
    session: Session, kb: str | None, question: str, *, top: int, as_json: bool
) -> None:
    """Search and show the hits."""

    async def work(app: App) -> SearchHits:
        return await app.search(kb, question, SearchOptions(top=top))

    found = session.run(work)
    if as_json:
        session.print_json(search_payload(found))
        return
    if not found.hits:
        session.note("cli.search.nothing")
    for rank, hit in enumerate(found.hits, start=1):
        _show(session, rank, hit)


def _show(session: Session, rank: int, hit: Hit) -> None:
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
