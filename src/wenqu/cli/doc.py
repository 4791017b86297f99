"""``wenqu doc``: the documents of a knowledge base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.payloads import chunk_payload, document_info_payload, document_payload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.app import App
    from wenqu.cli.session import Session
    from wenqu.types import Chunk, Document, DocumentInfo

__all__ = ["list_documents", "remove_documents", "show_document"]


def list_documents(session: Session, kb: str | None, *, as_json: bool) -> None:
    """Show the documents of a knowledge base."""

    async def work(app: App) -> Sequence[DocumentInfo]:
        base = await app.base(kb)
        return await app.documents.documents(base.id)

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
    """Show the text of a document, or its chunks with their spans."""

    async def work(app: App) -> tuple[Document, Sequence[Chunk]]:
        base = await app.base(kb)
        info = await app.find_document(base, name)
        document = await app.documents.document(base.id, info.id)
        return document, await app.changes.document_chunks(base.id, info.id)

    document, found = session.run(work)
    if as_json:
        payload = document_payload(document)
        payload["chunks"] = [chunk_payload(chunk) for chunk in found]
        session.print_json(payload)
        return
    if not chunks:
        session.out.print(document.text, markup=False)
        return
    for chunk in found:
        place = " › ".join(chunk.heading)
        pages = session.text("cli.ask.page", page=chunk.page) if chunk.page else ""
        header = f"── {chunk.id}  {chunk.start}-{chunk.end}  {place}  {pages}".rstrip()
        session.out.print(header, style="dim", markup=False)
        session.out.print(chunk.text, markup=False)


def remove_documents(session: Session, kb: str | None, names: Sequence[str]) -> None:
    """Remove documents by id, source, or the end of a source."""

    async def work(app: App) -> int:
        base = await app.base(kb)
        infos = [await app.find_document(base, name) for name in names]
        return await app.remove_documents(base, [info.id for info in infos])

    session.note("cli.doc.removed", count=session.run(work))
