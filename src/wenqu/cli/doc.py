"""``wenqu doc``: the documents of a knowledge base."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wenqu.messages import catalogue
from wenqu.payloads import chunk_payload, document_info_payload, document_payload
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wenqu.app import App
    from wenqu.cli.session import Session
    from wenqu.types import Chunk, Document, DocumentInfo

__all__ = ["list_documents", "remove_documents", "show_document"]

_FIRST = ("subtitle", "author", "date", "subject", "keywords", "description", "format", "pages")
"""What is said of a document before everything else that is known of it."""
_LAST = ("left_out",)
_RULE = "─" * 40


def list_documents(session: Session, kb: str | None, *, as_json: bool) -> None:
    """Show the documents of a knowledge base."""

    async def work(app: App) -> Sequence[DocumentInfo]:
        return await app.documents.documents(await app.base_id(kb))

    infos = session.run(work)
    if as_json:
        session.print_json([document_info_payload(info) for info in infos])
        return
    if not infos:
        session.note("cli.doc.none")
    for info in infos:
        chunks = session.text("cli.add.chunks", count=info.chunks)
        session.out.print(f"{info.id}  {info.title}  {chunks}  {info.source}", markup=False)


def show_document(
    session: Session, kb: str | None, name: str, *, chunks: bool, as_json: bool
) -> None:
    """Show what is known of a document, and its text or its chunks with their spans."""

    async def work(app: App) -> tuple[Document, Sequence[Chunk]]:
        base = await app.base_id(kb)
        info = await app.find_document(base, name)
        document = await app.documents.document(base, info.id)
        return document, await app.changes.document_chunks(base, info.id)

    document, found = session.run(work)
    if as_json:
        payload = document_payload(document)
        payload["chunks"] = [chunk_payload(chunk) for chunk in found]
        session.print_json(payload)
        return
    for key, value in _facts(document):
        _print(session, f"{_named(session, key)}{value}", "dim")
    _print(session, _RULE, "dim")
    if chunks:
        _show_chunks(session, found)
    else:
        _show_text(session, document)


def remove_documents(session: Session, kb: str | None, names: Sequence[str]) -> None:
    """Remove documents by id, source, or the end of a source."""

    async def work(app: App) -> int:
        base = await app.base_id(kb)
        infos = [await app.find_document(base, name) for name in names]
        return await app.remove_documents(base, [info.id for info in infos])

    session.note("cli.doc.removed", count=session.run(work))


def _facts(document: Document) -> Iterator[tuple[str, str]]:
    """Yield what is known of a document, what most people ask for first."""
    yield "title", document.title
    yield "source", document.source
    meta = dict(document.meta)
    pages = [block.page for block in document.blocks if block.page is not None]
    if pages and "slides" not in meta:
        meta.setdefault("pages", str(max(pages)))
    middle = [key for key in meta if key not in (*_FIRST, *_LAST)]
    for key in (*_FIRST, *middle, *_LAST):
        if key in meta:
            yield key, meta[key]


def _named(session: Session, key: str) -> str:
    known = f"cli.doc.meta.{key}"
    name = session.text(known) if known in catalogue() else key.replace("_", " ")
    return session.text("cli.doc.field", name=name)


def _show_text(session: Session, document: Document) -> None:
    """Print the text as it is; headings stand out in a terminal."""
    at = 0
    for block in document.blocks:
        if block.kind is BlockKind.HEADING:
            sys.stdout.write(document.text[at : block.span.start])
            heading = document.text[block.span.start : block.span.end]
            _print(session, heading, "bold cyan", end="")
            at = block.span.end
    sys.stdout.write(document.text[at:] + "\n")


def _show_chunks(session: Session, chunks: Sequence[Chunk]) -> None:
    for chunk in chunks:
        parts = [f"── {chunk.id}", f"{chunk.start}-{chunk.end}", " › ".join(chunk.heading)]
        parts += [session.text("cli.ask.page", page=_range(chunk.pages))] if chunk.pages else []
        _print(session, "  ".join(part for part in parts if part), "cyan")
        if chunk.header:
            _print(session, chunk.header, "dim")
            _print(session, session.text("cli.doc.header_rows"), "dim")
        sys.stdout.write(f"{chunk.text}\n\n")


def _range(pages: Sequence[int]) -> str:
    return str(pages[0]) if len(pages) == 1 else f"{pages[0]}–{pages[-1]}"


def _print(session: Session, text: str, style: str, end: str = "\n") -> None:
    from rich.text import Text

    # As text: a document may hold [what looks like markup] or :names: of emoji.
    session.out.print(Text(text, style=style), end=end)
