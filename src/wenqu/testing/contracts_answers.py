"""What a store of answers must do: subclass the suite in a test and implement ``stores``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from wenqu.errors import NotFoundError
from wenqu.types import AnswerRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from wenqu.protocols import AnswerStore, KnowledgeBaseStore

    Check = Callable[[AnswerStore, KnowledgeBaseStore], Coroutine[Any, Any, None]]

__all__ = ["AnswerStoreContract"]


def _answer_record(name: str, kb: int | None = None, **data: object) -> AnswerRecord:
    """Return a record to be kept; its question names it too."""
    return AnswerRecord(
        id=name,
        kb=kb,
        kb_name="made",
        question=f"{name}？",
        outcome="answered",
        data={"answer": {"answer": "是的。"}, **data},
    )


class AnswerStoreContract:
    """Contract suite of ``protocols.AnswerStore``."""

    def stores(self) -> AbstractAsyncContextManager[tuple[AnswerStore, KnowledgeBaseStore]]:
        """Open the store under test, empty, beside the knowledge bases of the same database."""
        raise NotImplementedError

    def _run(self, check: Check) -> None:
        async def opened() -> None:
            async with self.stores() as (answers, bases):
                await check(answers, bases)

        asyncio.run(opened())

    def test_a_record_comes_back_as_it_was_kept(self) -> None:
        async def check(answers: AnswerStore, bases: KnowledgeBaseStore) -> None:
            kb = (await bases.create("made")).id
            await answers.put(_answer_record("a1b2c3", kb, stages=[{"ms": 1.5, "detail": {}}]))
            found = await answers.get("a1b2c3")
            assert (found.kb, found.kb_name, found.question) == (kb, "made", "a1b2c3？")
            assert found.data["stages"] == [{"ms": 1.5, "detail": {}}]
            assert found.data["answer"] == {"answer": "是的。"}
            assert found.number == 1
            assert found.created_at.endswith("+00:00")

        self._run(check)

    @pytest.mark.parametrize("name", ["a1b2c3", "a1b", "2", "last", " last "])
    def test_a_record_is_meant_by_its_id_its_beginning_its_number_or_as_the_last(
        self, name: str
    ) -> None:
        async def check(answers: AnswerStore, _: KnowledgeBaseStore) -> None:
            await answers.put(_answer_record("ffff00"))
            await answers.put(_answer_record("a1b2c3"))
            assert (await answers.get(name)).id == "a1b2c3"

        self._run(check)

    @pytest.mark.parametrize("name", ["abcd", "ff", "9", "", "%", "f_"])
    def test_a_name_that_means_none_or_several_is_refused(self, name: str) -> None:
        async def check(answers: AnswerStore, _: KnowledgeBaseStore) -> None:
            await answers.put(_answer_record("ffff00"))
            await answers.put(_answer_record("ffff01"))
            with pytest.raises(NotFoundError):
                await answers.get(name)

        self._run(check)

    def test_records_are_listed_newest_first_and_by_knowledge_base(self) -> None:
        async def check(answers: AnswerStore, bases: KnowledgeBaseStore) -> None:
            one, other = [(await bases.create(name)).id for name in ("one", "other")]
            for name, kb in (("a", one), ("b", other), ("c", one)):
                await answers.put(_answer_record(name, kb))
            assert [record.id for record in await answers.list()] == ["c", "b", "a"]
            assert [record.id for record in await answers.list(one)] == ["c", "a"]
            assert [record.id for record in await answers.list(top=1)] == ["c"]

        self._run(check)

    def test_a_record_outlives_its_knowledge_base(self) -> None:
        async def check(answers: AnswerStore, bases: KnowledgeBaseStore) -> None:
            await answers.put(_answer_record("a", (await bases.create("made")).id))
            await bases.delete("made")
            found = await answers.get("a")
            assert (found.kb, found.kb_name) == (None, "made")

        self._run(check)

    def test_forgetting_deletes_all_records_or_those_of_one_knowledge_base(self) -> None:
        async def check(answers: AnswerStore, bases: KnowledgeBaseStore) -> None:
            one, other = [(await bases.create(name)).id for name in ("one", "other")]
            for name, kb in (("a", one), ("b", other), ("c", one)):
                await answers.put(_answer_record(name, kb))
            assert await answers.forget(one) == 2
            assert [record.id for record in await answers.list()] == ["b"]
            assert await answers.forget() == 1
            assert await answers.list() == []

        self._run(check)
