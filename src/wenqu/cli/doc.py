"""``wenqu doc``: the documents of a knowledge base."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wenqu.messages import catalogue
from wenqu.payloads import chunk_payload, document_info_payload, document_payload
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wenqu.app import App
    from wenqu.cli.session import Session
    from wenqu.types import Chunk, Document, DocumentInfo

    Tags = Mapping[str, Sequence[str]]

__all__ = ["list_documents", "remove_documents", "show_document", "tag_documents"]

_FIRST = ("subtitle", "author", "date", "subject", "keywords", "description", "format", "pages")
"""What is said of a document before everything else that is known of it."""
_LAST = ("left_out",)
_RULE = "─" * 40


def list_documents(session: Session, kb: str | None, *, as_json: bool) -> None:
    """Show the documents of a knowledge base."""

    async def work(app: App) -> tuple[Sequence[DocumentInfo], Tags]:
        base = await app.base_id(kb)
        return await app.documents.documents(base), await app.documents.tags(base)

    infos, tags = session.run(work)
    if as_json:
        session.print_json(
            [{**document_info_payload(info), "tags": list(tags.get(info.id, ()))} for info in infos]
        )
        return
    if not infos:
        session.note("cli.doc.none")
    for info in infos:
        chunks = session.text("cli.add.chunks", count=info.chunks)
        parts = [info.id, info.title, *(f"#{tag}" for tag in tags.get(info.id, ())), chunks]
        session.out.print("  ".join([*parts, info.source]), markup=False)


def show_document(
    session: Session, kb: str | None, name: str, *, chunks: bool, as_json: bool
) -> None:
    """Show what is known of a document, and its text or its chunks with their spans."""

    async def work(app: App) -> tuple[Document, Sequence[Chunk], Sequence[str]]:
        base = await app.base_id(kb)
        info = await app.find_document(base, name)
        document = await app.documents.document(base, info.id)
        tags = (await app.documents.tags(base)).get(info.id, ())
        return document, await app.changes.document_chunks(base, info.id), tags

    document, found, tags = session.run(work)
    if as_json:
        payload = document_payload(document)
        payload["tags"] = list(tags)
        payload["chunks"] = [chunk_payload(chunk) for chunk in found]
        session.print_json(payload)
        return
    for key, value in _facts(document, tags):
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


def tag_documents(
    session: Session,
    kb: str | None,
    names: Sequence[str],
    *,
    add: Sequence[str],
    remove: Sequence[str],
    as_json: bool,
) -> None:
    """Give tags to documents and take others away; show those that each has then."""

    async def work(app: App) -> tuple[Sequence[DocumentInfo], Tags]:
        base = await app.base_id(kb)
        infos = [await app.find_document(base, name) for name in names]
        await app.documents.tag(base, [info.id for info in infos], add=add, remove=remove)
        return infos, await app.documents.tags(base)

    infos, tags = session.run(work)
    tagged = [(info, list(tags.get(info.id, ()))) for info in infos]
    if as_json:
        session.print_json(
            [{"id": info.id, "source": info.source, "tags": found} for info, found in tagged]
        )
        return
    for info, found in tagged:
        session.out.print("  ".join([info.source, *(f"#{tag}" for tag in found)]), markup=False)


def _facts(document: Document, tags: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what is known of a document, what most people ask for first."""
    yield "title", document.title
    yield "source", document.source
    meta = dict(document.meta)
    meta.pop("tags", None)  # they are among those given
    if tags:
        yield "tags", ", ".join(tags)
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
