"""What a store of knowledge bases must do: subclass the suite in a test, implement ``stores``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from wenqu.errors import ConflictError, InputError, NotFoundError
from wenqu.testing.contracts_store import StoreSuite
from wenqu.testing.samples import document_of, put_of
from wenqu.types import MAX_PROMPT_TOKENS, ChunkStrategy, KnowledgeBaseSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from wenqu.testing.contracts_store import Stores

__all__ = ["KnowledgeBaseStoreContract"]

_OUT_OF_BOUNDS = (("chunk_tokens", 31), ("chunk_tokens", 501), ("chunk_overlap", -1))


class KnowledgeBaseStoreContract(StoreSuite):
    """Contract suite of ``protocols.KnowledgeBaseStore``."""

    def test_there_are_none_in_the_beginning(self) -> None:
        async def check(stores: Stores) -> None:
            assert list(await stores.bases.list()) == []

        self._run(check)

    def test_a_created_base_is_found_and_empty(self) -> None:
        async def check(stores: Stores) -> None:
            created = await stores.bases.create("规章 2024")
            assert created.name == "规章 2024"
            assert await stores.bases.get("规章 2024") == created
            assert await stores.bases.id_of(" 规章 2024 ") == created.id
            assert (created.documents, created.chunks, created.characters) == (0, 0, 0)

        self._run(check)

    def test_bases_are_listed_by_name(self) -> None:
        async def check(stores: Stores) -> None:
            for name in ("beta", "alpha", "gamma"):
                await stores.bases.create(name)
            assert [base.name for base in await stores.bases.list()] == ["alpha", "beta", "gamma"]
            assert list(await stores.bases.ids()) == ["alpha", "beta", "gamma"]
            assert (await stores.bases.ids())["beta"] == await stores.bases.id_of("beta")

        self._run(check)

    def test_a_name_is_given_once(self) -> None:
        async def check(stores: Stores) -> None:
            await stores.bases.create("one")
            with pytest.raises(ConflictError):
                await stores.bases.create("one")
            assert len(await stores.bases.list()) == 1

        self._run(check)

    def test_the_same_name_in_two_unicode_forms_is_one(self) -> None:
        async def check(stores: Stores) -> None:
            created = await stores.bases.create("caf\N{LATIN SMALL LETTER E WITH ACUTE}")
            assert await stores.bases.get("cafe\N{COMBINING ACUTE ACCENT}") == created

        self._run(check)

    @pytest.mark.parametrize("name", ["", "  ", "a/b", "a\nb", "a\0b", "..", "x" * 65, "\udcff"])
    def test_what_cannot_be_a_name_is_refused(self, name: str) -> None:
        async def check(stores: Stores) -> None:
            with pytest.raises(InputError):
                await stores.bases.create(name)
            assert not await stores.bases.list()

        self._run(check)

    def test_what_is_not_there_is_not_found(self) -> None:
        async def check(stores: Stores) -> None:
            for name in ("nowhere", "", "\udcff"):
                with pytest.raises(NotFoundError):
                    await stores.bases.get(name)
                with pytest.raises(NotFoundError):
                    await stores.bases.id_of(name)
            with pytest.raises(NotFoundError):
                await stores.bases.delete("nowhere")

        self._run(check)

    def test_counts_follow_the_documents(self) -> None:
        async def check(stores: Stores) -> None:
            base = await stores.bases.create("made")
            documents = document_of("a", "one", "two"), document_of("b", "three")
            await stores.put(base.id, *map(put_of, documents))
            counted = await stores.bases.get("made")
            characters = sum(len(document.text) for document in documents)
            assert (counted.documents, counted.chunks, counted.characters) == (2, 3, characters)

        self._run(check)

    def test_a_deleted_base_takes_its_documents_with_it_and_no_others(self) -> None:
        async def check(stores: Stores) -> None:
            gone = await stores.bases.create("gone")
            kept = await stores.bases.create("kept")
            for base in (gone, kept):
                await stores.put(base.id, put_of(document_of("a", "shared text")))
            deleted = await stores.bases.delete("gone")
            assert (deleted.id, deleted.documents) == (gone.id, 1)
            assert [base.name for base in await stores.bases.list()] == ["kept"]
            assert not await stores.documents.documents(gone.id)
            assert await stores.changes.head(gone.id) == 0
            # The text is still used elsewhere, and so is its vector.
            assert len(await stores.changed(kept.id)) == 1

        self._run(check)

    def test_only_an_empty_base_is_deleted_as_one(self) -> None:
        async def check(stores: Stores) -> None:
            filled, empty = await stores.bases.create("filled"), await stores.bases.create("empty")
            await stores.put(filled.id, put_of(document_of("a", "text")))
            assert not await stores.bases.delete_empty(filled.id)
            assert await stores.bases.delete_empty(empty.id)
            assert not await stores.bases.delete_empty(empty.id)
            assert list(await stores.bases.ids()) == ["filled"]

        self._run(check)

    def test_a_base_follows_the_general_settings_but_for_its_own(self) -> None:
        async def check(stores: Stores) -> None:
            plain = await stores.bases.create("plain")
            assert plain.settings == KnowledgeBaseSettings()
            own = KnowledgeBaseSettings(chunk_strategy=ChunkStrategy.TABLE, chunk_tokens=64)
            created = await stores.bases.create("own", own)
            assert created.settings == own
            assert [base.settings for base in await stores.bases.list()] == [own, plain.settings]

        self._run(check)

    def test_settings_are_replaced_and_nothing_else_is(self) -> None:
        async def check(stores: Stores) -> None:
            base = await stores.bases.create("made", KnowledgeBaseSettings(chunk_tokens=64))
            await stores.put(base.id, put_of(document_of("a", "one")))
            own = KnowledgeBaseSettings(chunk_strategy=ChunkStrategy.RECURSIVE, chunk_overlap=0)
            configured = await stores.bases.configure(" made ", own)
            assert (configured.settings, configured.id, configured.documents) == (own, base.id, 1)
            assert await stores.bases.get("made") == configured
            with pytest.raises(NotFoundError):
                await stores.bases.configure("nowhere", own)

        self._run(check)

    def test_a_setting_out_of_bounds_is_refused(self) -> None:
        async def check(stores: Stores) -> None:
            made = await stores.bases.create("made")
            for name, value in _OUT_OF_BOUNDS:
                settings = KnowledgeBaseSettings(**{name: value})  # type: ignore[arg-type]
                with pytest.raises(InputError):
                    await stores.bases.create("other", settings)
                with pytest.raises(InputError):
                    await stores.bases.configure("made", settings)
            assert list(await stores.bases.list()) == [made]

        self._run(check)

    def test_a_prompt_is_kept_without_space_around_it_and_found_by_id(self) -> None:
        async def check(stores: Stores) -> None:
            base = await stores.bases.create("own", KnowledgeBaseSettings(prompt=" 称呼“您”。\n"))
            assert base.settings.prompt == "称呼“您”。"
            assert await stores.bases.settings_of(base.id) == base.settings
            plain = await stores.bases.configure("own", KnowledgeBaseSettings())
            assert await stores.bases.settings_of(base.id) == plain.settings
            assert plain.settings.prompt is None
            assert await stores.bases.settings_of(base.id + 1) == KnowledgeBaseSettings()

        self._run(check)

    def test_an_empty_prompt_and_one_too_long_are_refused(self) -> None:
        async def check(stores: Stores) -> None:
            longest = KnowledgeBaseSettings(prompt="长" * MAX_PROMPT_TOKENS)
            made = await stores.bases.create("made", longest)
            for prompt in ("", " \n", "长" * (MAX_PROMPT_TOKENS + 1)):
                with pytest.raises(InputError):
                    await stores.bases.configure("made", KnowledgeBaseSettings(prompt=prompt))
            assert await stores.bases.settings_of(made.id) == longest

        self._run(check)

    def test_an_id_is_never_given_again(self) -> None:
        async def check(stores: Stores) -> None:
            first = await stores.bases.create("one")
            await stores.bases.delete("one")
            assert (await stores.bases.create("one")).id != first.id

        self._run(check)

    def _run(self, check: Callable[[Stores], Coroutine[Any, Any, None]]) -> None:
        async def opened() -> None:
            async with self.stores() as stores:
                await check(stores)

        asyncio.run(opened())
