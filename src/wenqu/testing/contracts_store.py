"""What the stores must do: subclass a suite in a test and implement ``stores``."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from wenqu.errors import NotFoundError, StoreError
from wenqu.testing.samples import (
    MODEL,
    chunks_of,
    document_of,
    embedding_key_of,
    put_of,
    vector_of,
)
from wenqu.types import Span

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence

    from wenqu.protocols import (
        Change,
        ChangeLog,
        DocumentStore,
        KnowledgeBaseStore,
        PutDocument,
    )
    from wenqu.types import Block

__all__ = ["BaseSuite", "ChangeLogContract", "DocumentStoreContract", "StoreSuite", "Stores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Three stores on one database."""

    bases: KnowledgeBaseStore
    documents: DocumentStore
    changes: ChangeLog

    async def put(self, kb: int, *puts: PutDocument) -> None:
        """Store documents with the made model."""
        await self.documents.put(kb, puts, MODEL)

    async def changed(self, kb: int, after: int = 0) -> list[Change]:
        """Return all changes after ``after``."""
        batches = self.changes.changes(kb, after, MODEL)
        return [change async for batch in batches for change in batch]


class StoreSuite:
    """What every suite of a store begins with."""

    def stores(self) -> AbstractAsyncContextManager[Stores]:
        """Open the stores under test on an empty database; leaving the context closes them."""
        raise NotImplementedError

    @asynccontextmanager
    async def _with_base(self) -> AsyncGenerator[tuple[Stores, int]]:
        async with self.stores() as stores:
            yield stores, (await stores.bases.create("made")).id


class BaseSuite(StoreSuite):
    """What a suite on one knowledge base begins with."""

    def _run(self, check: Callable[[Stores, int], Coroutine[Any, Any, None]]) -> None:
        async def opened() -> None:
            async with self._with_base() as (stores, kb):
                await check(stores, kb)

        asyncio.run(opened())


class DocumentStoreContract(BaseSuite):
    """Contract suite of ``protocols.DocumentStore``."""

    def test_nothing_is_stored_in_the_beginning(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            assert not await stores.documents.versions(kb)
            assert not await stores.documents.documents(kb)
            assert await stores.documents.remove(kb, ["0123456789abcdef"]) == 0

        self._run(check)

    def test_a_document_comes_back_as_it_was_put(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            document = document_of("目录/a.md", "第一段 😀", "Second “paragraph”", title="标题")
            await stores.put(kb, put_of(document))
            assert await stores.documents.document(kb, document.id) == document

        self._run(check)

    def test_an_unknown_document_is_not_found(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            with pytest.raises(NotFoundError):
                await stores.documents.document(kb, "0123456789abcdef")

        self._run(check)

    def test_the_blocks_that_a_span_touches_come_with_their_places(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            document = document_of("a", "first", "second", "third")
            await stores.put(kb, put_of(document), put_of(document_of("b", "other")))
            first, second, third = document.blocks

            async def touched(start: int, end: int) -> list[Block]:
                span = Span(start=start, end=end)
                return list(await stores.documents.blocks(kb, document.id, span))

            assert await touched(first.span.end - 1, second.span.start + 1) == [first, second]
            assert await touched(first.span.end, second.span.start) == []
            assert await touched(0, len(document.text)) == [first, second, third]
            anywhere = Span(start=0, end=99)
            assert not await stores.documents.blocks(kb, "0123456789abcdef", anywhere)
            assert not await stores.documents.blocks(kb + 1, document.id, anywhere)

        self._run(check)

    def test_versions_and_documents_are_listed_by_source(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            puts = [put_of(document_of(source, source, "more")) for source in ("b", "a", "c")]
            await stores.put(kb, *puts)
            versions = await stores.documents.versions(kb)
            infos = await stores.documents.documents(kb)
            assert [version.source for version in versions] == ["a", "b", "c"]
            assert [info.source for info in infos] == ["a", "b", "c"]
            assert (versions[1].content_hash, versions[1].recipe) == (
                puts[0].content_hash,
                puts[0].recipe,
            )
            assert (infos[0].chunks, infos[0].characters) == (2, len("a\n\nmore"))

        self._run(check)

    def test_a_changed_document_replaces_its_old_version(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            old, new = document_of("a", "old", "stays"), document_of("a", "new", "stays")
            await stores.put(kb, put_of(old))
            await stores.put(kb, put_of(new, known=[embedding_key_of("stays")]))
            stored = await stores.documents.document(kb, new.id)
            assert (stored.text, stored.version) == (new.text, 2)
            assert len(await stores.documents.documents(kb)) == 1
            assert list(await stores.changes.document_chunks(kb, new.id)) == chunks_of(new)

        self._run(check)

    def test_a_put_that_fails_writes_nothing(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            good, bad = put_of(document_of("good", "fine")), put_of(document_of("bad", "twice"))
            twice = replace(bad, chunks=[*bad.chunks] * 2, embedding_keys=[*bad.embedding_keys] * 2)
            with pytest.raises(StoreError):
                await stores.put(kb, good, twice)
            assert not await stores.documents.documents(kb)
            assert await stores.changes.head(kb) == 0
            assert not await stores.documents.known_embeddings(good.embedding_keys, MODEL)

        self._run(check)

    def test_a_chunk_whose_vector_is_neither_given_nor_stored_is_refused(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            put = put_of(document_of("a", "no vector"), known=[embedding_key_of("no vector")])
            with pytest.raises(StoreError):
                await stores.put(kb, put)
            assert not await stores.documents.documents(kb)

        self._run(check)

    def test_embeddings_are_known_by_key_and_model(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            await stores.put(kb, put_of(document_of("a", "one", "two")))
            keys = [embedding_key_of(text) for text in ("one", "two", "three")]
            assert await stores.documents.known_embeddings(keys, MODEL) == set(keys[:2])
            assert await stores.documents.known_embeddings(keys, "another") == set()
            assert await stores.documents.known_embeddings([], MODEL) == set()

        self._run(check)

    def test_a_vector_that_is_stored_already_may_be_put_again(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            await stores.put(kb, put_of(document_of("a", "same")))
            await stores.put(kb, put_of(document_of("b", "same")))
            first, second = await stores.changed(kb)
            np.testing.assert_array_equal(first.vectors, second.vectors)

        self._run(check)

    def test_removing_counts_what_was_there(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            documents = [document_of(source, source) for source in ("a", "b", "c")]
            await stores.put(kb, *map(put_of, documents))
            wanted = [documents[0].id, documents[2].id, "0123456789abcdef"]
            assert await stores.documents.remove(kb, wanted) == 2
            assert await stores.documents.remove(kb, wanted) == 0
            assert [info.source for info in await stores.documents.documents(kb)] == ["b"]
            assert not await stores.changes.document_chunks(kb, documents[0].id)

        self._run(check)

    def test_the_vector_of_a_removed_text_is_kept_only_while_another_uses_it(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            first, second = document_of("a", "shared", "alone"), document_of("b", "shared")
            await stores.put(kb, put_of(first), put_of(second))
            await stores.documents.remove(kb, [first.id])
            keys = [embedding_key_of(text) for text in ("shared", "alone")]
            assert await stores.documents.known_embeddings(keys, MODEL) == {keys[0]}

        self._run(check)

    def test_one_source_in_two_bases_is_two_documents(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            other = (await stores.bases.create("other")).id
            await stores.put(kb, put_of(document_of("a", "here")))
            await stores.put(other, put_of(document_of("a", "there")))
            document = document_of("a", "here")
            await stores.documents.remove(other, [document.id])
            assert (await stores.documents.document(kb, document.id)).text == "here"
            assert not await stores.documents.documents(other)

        self._run(check)

    def test_a_chunk_keeps_its_header_rows(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            put = put_of(document_of("a", "| 1 | 2 |", "text"))
            header = "| 甲 | b |\n| --- | --- |"
            chunks = [replace(put.chunks[0], header=header), put.chunks[1]]
            await stores.put(kb, replace(put, chunks=chunks))
            stored = await stores.changes.document_chunks(kb, put.document.id)
            assert [chunk.header for chunk in stored] == [header, ""]
            (change,) = await stores.changed(kb)
            assert list(change.chunks) == chunks
            found = await stores.changes.chunks(kb, [chunks[0].id])
            assert found[chunks[0].id][0] == chunks[0]

        self._run(check)

    def test_vectors_of_chunks_come_by_id_for_one_model(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            put = put_of(document_of("a", "one", "two", "three"))
            await stores.put(kb, put)
            ids = [chunk.id for chunk in put.chunks]
            found = await stores.documents.vectors(kb, [*ids[:2], "0" * 16], MODEL)
            assert set(found) == set(ids[:2])
            np.testing.assert_allclose(found[ids[1]], vector_of("two"), atol=1e-3)
            assert found[ids[1]].dtype == np.float32
            assert not await stores.documents.vectors(kb, ids, "another")
            assert not await stores.documents.vectors(kb + 1, ids, MODEL)

        self._run(check)

    def test_a_document_of_many_chunks_is_stored_whole(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            document = document_of("long", *(f"paragraph {number}" for number in range(1200)))
            put = put_of(document)
            await stores.put(kb, put)
            assert list(await stores.changes.document_chunks(kb, document.id)) == put.chunks
            known = await stores.documents.known_embeddings(put.embedding_keys, MODEL)
            assert len(known) == 1200

        self._run(check)


class ChangeLogContract(BaseSuite):
    """Contract suite of ``protocols.ChangeLog``."""

    def test_the_head_is_zero_before_the_first_change(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            assert await stores.changes.head(kb) == 0
            assert await stores.changed(kb) == []

        self._run(check)

    def test_the_head_grows_with_each_change_of_its_own_base(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            other = (await stores.bases.create("other")).id
            heads = []
            await stores.put(kb, put_of(document_of("a", "one")))
            heads.append(await stores.changes.head(kb))
            await stores.put(kb, put_of(document_of("a", "two")))
            heads.append(await stores.changes.head(kb))
            await stores.documents.remove(kb, [document_of("a", "two").id])
            heads.append(await stores.changes.head(kb))
            assert 0 < heads[0] < heads[1] < heads[2]
            assert await stores.changes.head(other) == 0

        self._run(check)

    def test_a_change_carries_the_chunks_and_their_vectors_in_order(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            document = document_of("a", "one", "two", "three", title="Title")
            await stores.put(kb, put_of(document))
            (change,) = await stores.changed(kb)
            assert (change.document_id, change.title) == (document.id, "Title")
            assert list(change.chunks) == chunks_of(document)
            assert change.vectors.dtype == np.float16
            expected = np.array([vector_of(chunk.text) for chunk in change.chunks], np.float16)
            np.testing.assert_array_equal(change.vectors, expected)

        self._run(check)

    def test_a_removal_has_no_chunks(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            document = document_of("a", "one")
            await stores.put(kb, put_of(document))
            await stores.documents.remove(kb, [document.id])
            (change,) = await stores.changed(kb)
            assert (change.document_id, len(change.chunks), len(change.vectors)) == (
                document.id,
                0,
                0,
            )

        self._run(check)

    def test_changes_are_net_and_oldest_first(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            for source, text in (("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")):
                await stores.put(kb, put_of(document_of(source, text)))
            changes = await stores.changed(kb)
            assert [change.chunks[0].text for change in changes] == ["2", "3", "4"]
            numbers = [change.number for change in changes]
            assert numbers == sorted(numbers)
            assert numbers[-1] == await stores.changes.head(kb)

        self._run(check)

    def test_only_what_came_after_a_number_is_given(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            await stores.put(kb, put_of(document_of("a", "1")), put_of(document_of("b", "2")))
            head = await stores.changes.head(kb)
            assert await stores.changed(kb, head) == []
            await stores.put(kb, put_of(document_of("c", "3")))
            assert self._texts(await stores.changed(kb, head)) == ["3"]

        self._run(check)

    def test_many_changes_come_in_batches_that_hold_all_of_them(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            documents = [document_of(f"{number:04}", f"text {number}") for number in range(450)]
            await stores.put(kb, *map(put_of, documents))
            batches = [batch async for batch in stores.changes.changes(kb, 0, MODEL)]
            assert len(batches) > 1
            found = [change.document_id for batch in batches for change in batch]
            assert found == [document.id for document in documents]

        self._run(check)

    def test_chunks_are_found_by_id_with_their_documents(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            other = (await stores.bases.create("other")).id
            document = document_of("a", "one", "two", title="Title")
            await stores.put(kb, put_of(document))
            one, two = chunks_of(document)
            found = await stores.changes.chunks(kb, [two.id, one.id, "0123456789abcdef"])
            assert {chunk_id: chunk for chunk_id, (chunk, _) in found.items()} == {
                one.id: one,
                two.id: two,
            }
            info = found[one.id][1]
            assert (info.id, info.source, info.title, info.chunks) == (
                document.id,
                "a",
                "Title",
                2,
            )
            assert not await stores.changes.chunks(other, [one.id])
            assert not await stores.changes.chunks(kb, [])

        self._run(check)

    def test_an_unknown_document_has_no_chunks(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            assert not await stores.changes.document_chunks(kb, "0123456789abcdef")

        self._run(check)

    @staticmethod
    def _texts(changes: Sequence[Change]) -> list[str]:
        return [chunk.text for change in changes for chunk in change.chunks]
