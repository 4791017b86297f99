"""``wenqu doc``: the documents of a knowledge base."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.cli.deferred import Group
from wenqu.cli.session import HomeOption, JsonOption, KbOption, Session, system_text
from wenqu.messages import catalogue
from wenqu.payloads import chunk_payload, document_info_payload, document_payload
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wenqu.app import App
    from wenqu.types import Chunk, Document, DocumentInfo

    Tags = Mapping[str, Sequence[str]]

__all__ = ["app"]

app = Group("cli.doc.help")
DocumentArgument = Annotated[str, typer.Argument(help=system_text("cli.argument.document"))]

_FIRST = ("subtitle", "author", "date", "subject", "keywords", "description", "format", "pages")
"""What is said of a document before everything else that is known of it."""
_LAST = ("left_out",)
_RULE = "─" * 40


@app.command("list", help=system_text("cli.doc.list.help"))
def doc_list(
    context: typer.Context,
    kb: KbOption = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show the documents of a knowledge base."""
    session = Session.begin(context, home)

    async def work(app: App) -> tuple[Sequence[DocumentInfo], Tags]:
        base = await app.base_id(kb)
        return await app.documents.documents(base), await app.documents.tags(base)

    infos, tags = session.run(work)
    if json_output:
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


@app.command("show", help=system_text("cli.doc.show.help"))
def doc_show(
    context: typer.Context,
    document: DocumentArgument,
    kb: KbOption = None,
    chunks: Annotated[
        bool, typer.Option("--chunks", help=system_text("cli.doc.show.chunks"))
    ] = False,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show what is known of a document, and its text or its chunks with their spans."""
    session = Session.begin(context, home)

    async def work(app: App) -> tuple[Document, Sequence[Chunk], Sequence[str]]:
        base = await app.base_id(kb)
        info = await app.find_document(base, document)
        whole = await app.documents.document(base, info.id)
        tags = (await app.documents.tags(base)).get(info.id, ())
        return whole, await app.changes.document_chunks(base, info.id), tags

    whole, found, tags = session.run(work)
    if json_output:
        payload = document_payload(whole)
        payload["tags"] = list(tags)
        payload["chunks"] = [chunk_payload(chunk) for chunk in found]
        session.print_json(payload)
        return
    for key, value in _facts(whole, tags):
        _print(session, f"{_named(session, key)}{value}", "dim")
    _print(session, _RULE, "dim")
    if chunks:
        _show_chunks(session, found)
    else:
        _show_text(session, whole)


@app.command("tag", help=system_text("cli.doc.tag.help"))
def doc_tag(
    context: typer.Context,
    documents: Annotated[list[str], typer.Argument(help=system_text("cli.argument.document"))],
    kb: KbOption = None,
    add: Annotated[
        list[str] | None, typer.Option("--add", help=system_text("cli.doc.tag.add"))
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", help=system_text("cli.doc.tag.remove"))
    ] = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Give tags to documents and take others away; show those that each has then."""
    session = Session.begin(context, home)

    async def work(app: App) -> tuple[Sequence[DocumentInfo], Tags]:
        base = await app.base_id(kb)
        infos = [await app.find_document(base, name) for name in documents]
        ids = [info.id for info in infos]
        await app.documents.tag(base, ids, add=add or (), remove=remove or ())
        return infos, await app.documents.tags(base)

    infos, tags = session.run(work)
    tagged = [(info, list(tags.get(info.id, ()))) for info in infos]
    if json_output:
        session.print_json(
            [{"id": info.id, "source": info.source, "tags": found} for info, found in tagged]
        )
        return
    for info, found in tagged:
        session.out.print("  ".join([info.source, *(f"#{tag}" for tag in found)]), markup=False)


@app.command("remove", help=system_text("cli.doc.remove.help"))
def doc_remove(
    context: typer.Context,
    documents: Annotated[list[str], typer.Argument(help=system_text("cli.argument.document"))],
    kb: KbOption = None,
    home: HomeOption = None,
) -> None:
    """Remove documents by id, source, or the end of a source."""
    session = Session.begin(context, home)

    async def work(app: App) -> int:
        base = await app.base_id(kb)
        infos = [await app.find_document(base, name) for name in documents]
        return await app.remove_documents(base, [info.id for info in infos])

    session.note("cli.doc.removed", count=session.run(work))


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
    return session.text("cli.field", name=name)


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
