from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from wenqu.app import DEFAULT_BASE, AddOptions, App, open_app
from wenqu.errors import InputError, NotFoundError
from wenqu.options import SearchFilter, SearchOptions
from wenqu.testing.embedder import FakeEmbedder
from wenqu.types import ChunkStrategy, KnowledgeBaseSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


def with_app(home: Path, work: Callable[[App], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_app(home=home, embedder=FakeEmbedder()) as app:
            await work(app)

    asyncio.run(run())


def test_without_a_name_the_only_knowledge_base_is_meant(tmp_path: Path) -> None:
    async def work(app: App) -> None:
        made = await app.bases.create("handbook")
        assert (await app.base(None)).id == made.id

    with_app(tmp_path, work)


def test_without_a_name_and_with_several_default_is_meant(tmp_path: Path) -> None:
    async def work(app: App) -> None:
        await app.bases.create("one")
        await app.bases.create("two")
        with pytest.raises(NotFoundError) as missing:
            await app.base(None)
        assert "one, two" in missing.value.message("en")
        made = await app.bases.create(DEFAULT_BASE)
        assert (await app.base(None)).id == made.id

    with_app(tmp_path, work)


def test_before_anything_was_added_it_is_said_how_to_begin(tmp_path: Path) -> None:
    async def work(app: App) -> None:
        for nothing in (app.base(None), app.search(None, "kettle")):
            with pytest.raises(NotFoundError, match="no knowledge base yet") as missing:
                await nothing
            assert "wenqu add" in (missing.value.hint("en") or "")

    with_app(tmp_path, work)


def test_a_deleted_knowledge_base_leaves_no_index_behind(tmp_path: Path) -> None:
    file = tmp_path / "note.md"
    file.write_text("The kettle is in the kitchen.", "utf-8")

    async def work(app: App) -> None:
        await app.add("notes", [file])
        base = await app.base("notes")
        assert (app.indexes_dir / str(base.id) / "manifest.json").exists()
        await app.delete_base("notes")
        assert not (app.indexes_dir / str(base.id)).exists()
        with pytest.raises(NotFoundError):
            await app.search("notes", "kettle")

    with_app(tmp_path / "home", work)


def test_what_comes_to_nothing_leaves_no_knowledge_base_behind(tmp_path: Path) -> None:
    broken, file = tmp_path / "broken.pdf", tmp_path / "note.md"
    broken.write_bytes(b"%PDF-1.7 and no more")
    file.write_text("The kettle is in the kitchen.", "utf-8")

    async def work(app: App) -> None:
        report = await app.add("new", [broken])
        assert [one.status.value for one in report.outcomes] == ["failed"]
        assert not await app.bases.ids()
        assert not list(app.indexes_dir.glob("*"))
        made = await app.bases.create("made")
        await app.add("made", [broken])
        await app.add("kept", [broken, file])
        assert (await app.bases.ids())["made"] == made.id
        assert (await app.base("kept")).documents == 1

    with_app(tmp_path / "home", work)


def test_another_way_of_cutting_counts_at_the_next_add_and_embeds_no_text_twice(
    tmp_path: Path,
) -> None:
    (tmp_path / "home").mkdir()
    file = tmp_path / "note.md"
    sections = [f"## Part {number}\n\nText of part {number}." for number in range(4)]
    file.write_text("# Note\n\nBefore.\n\n" + "\n\n".join(sections), "utf-8")
    embedder = FakeEmbedder()

    async def work() -> None:
        async with open_app(home=tmp_path / "home", embedder=embedder) as app:
            await app.add("notes", [file])
            base = await app.base("notes")
            assert base.chunks == 1
            own = KnowledgeBaseSettings(chunk_strategy=ChunkStrategy.HEADING)
            await app.bases.configure("notes", own)
            assert (await app.base("notes")).chunks == 1
            before = len(embedder.embedded)
            report = await app.add("notes", [file])
            assert [one.status.value for one in report.outcomes] == ["changed"]
            assert (await app.base("notes")).chunks == 5
            assert len(embedder.embedded) - before == 5
            # Back again: every text is known.
            await app.bases.configure("notes", KnowledgeBaseSettings())
            await app.add("notes", [file])
            assert (await app.base("notes")).chunks == 1

    asyncio.run(work())


def test_documents_are_named_without_counting_a_knowledge_base(tmp_path: Path) -> None:
    async def work(app: App) -> None:
        made = await app.bases.create("handbook")
        assert await app.base_id(None) == await app.base_id("handbook") == made.id
        with pytest.raises(NotFoundError):
            await app.base_id("nowhere")

    with_app(tmp_path, work)


def test_tags_are_given_to_documents_changed_or_not_and_narrow_a_search(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "kettle.md").write_text("The kettle is in the kitchen.", "utf-8")

    async def work(app: App) -> None:
        await app.add("notes", [files])
        (files / "cup.md").write_text("The cup is in the kitchen.", "utf-8")
        await app.add("notes", [files], AddOptions(tags=["home"]))
        base = await app.base("notes")
        assert list((await app.documents.tags(base.id)).values()) == [["home"], ["home"]]
        where = SearchFilter(tags=("home",), sources=("cup.md",))
        found = await app.search("notes", "kitchen", SearchOptions(where=where))
        assert [hit.document.title for hit in found.hits] == ["cup"]

    with_app(tmp_path / "home", work)


def test_nothing_is_read_where_a_tag_cannot_be_one(tmp_path: Path) -> None:
    file = tmp_path / "note.md"
    file.write_text("The kettle is in the kitchen.", "utf-8")

    async def work(app: App) -> None:
        with pytest.raises(InputError):
            await app.add("notes", [file], AddOptions(tags=["a,b"]))
        assert not await app.bases.ids()

    with_app(tmp_path / "home", work)
