"""What filters and tags of a document store must do: subclass the suite, implement ``stores``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from wenqu.errors import InputError
from wenqu.options import SearchFilter
from wenqu.testing.contracts_store import BaseSuite
from wenqu.testing.samples import document_of, put_of

if TYPE_CHECKING:
    from wenqu.testing.contracts_store import Stores

__all__ = ["DocumentFilterContract"]


class DocumentFilterContract(BaseSuite):
    """Contract suite of what ``protocols.DocumentStore`` has for filters: matching, and tags."""

    @staticmethod
    async def _fill(stores: Stores, kb: int) -> dict[str, str]:
        """Store four documents; return their names by id."""
        described = {
            "/docs/law/leave.md": ("请假制度", {"date": "2024-03-05", "keywords": "人事, Leave"}),
            "/docs/law/old/travel.md": ("Travel Costs", {"date": "Fri, 05 May 2023 10:00:00 GMT"}),
            "/docs/lawyers.pdf": ("Lawyers", {"modified": "2024-04", "date": "soon"}),
            "https://made.example/law/faq": ("FAQ", {}),
        }
        names = {}
        for source, (title, meta) in described.items():
            document = replace(document_of(source, source, title=title), meta=meta)
            await stores.put(kb, put_of(document))
            names[document.id] = source.rpartition("/")[2]
        return names

    def _matches(self, expected: str, **conditions: Any) -> None:
        async def check(stores: Stores, kb: int) -> None:
            names = await self._fill(stores, kb)
            found = await stores.documents.matching(kb, SearchFilter(**conditions))
            assert sorted(names[one] for one in found) == sorted(expected.split())
            assert not await stores.documents.matching(kb + 1, SearchFilter(**conditions))

        self._run(check)

    def test_a_source_matches_whole_or_by_its_end_after_a_slash(self) -> None:
        self._matches("leave.md", sources=("leave.md",))
        self._matches("leave.md travel.md", sources=("*.md",))
        self._matches("travel.md", sources=("old/*",))
        self._matches("faq lawyers.pdf", sources=("lawyers.?df", "https://*"))
        self._matches("", sources=("eave.md",))

    def test_a_folder_matches_whole_parts_of_a_path(self) -> None:
        self._matches("leave.md travel.md", folders=("/docs/law",))
        self._matches("travel.md", folders=("/docs/law/old/",))
        self._matches("faq", folders=("https://made.example",))
        self._matches("lawyers.pdf", folders=("/docs/lawyers.pdf",))

    def test_a_part_of_a_title_matches_in_any_case(self) -> None:
        self._matches("leave.md travel.md", titles=("travel c", "请假"))

    def test_a_document_matches_by_its_own_keywords(self) -> None:
        self._matches("leave.md", tags=("leave", "nothing"))
        self._matches("", tags=("人",))

    def test_a_date_matches_between_both_days_and_a_month_is_all_its_days(self) -> None:
        self._matches("leave.md lawyers.pdf", since="2024")
        self._matches("lawyers.pdf", since="2024-03-06")
        self._matches("lawyers.pdf", since="2024-04-30", until="2024-04-30")
        self._matches("travel.md", until="2023")
        self._matches("leave.md travel.md", since="2023-05-05", until="2024-03-05")

    def test_every_condition_must_hold(self) -> None:
        self._matches("leave.md", folders=("/docs",), since="2024", tags=("人事",))
        self._matches("", folders=("/docs",), titles=("faq",))

    def test_what_is_no_date_is_refused(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            for where in (SearchFilter(since="2024-13"), SearchFilter(until="5.3.2024")):
                with pytest.raises(InputError) as caught:
                    await stores.documents.matching(kb, where)
                assert caught.value.hint("zh")

        self._run(check)

    def test_documents_that_came_and_went_are_matched_as_they_are_now(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            where = SearchFilter(titles=("new",))
            old, new = document_of("a", "text", title="old"), document_of("a", "text", title="new")
            await stores.put(kb, put_of(old))
            assert not await stores.documents.matching(kb, where)
            await stores.put(kb, put_of(new))
            assert set(await stores.documents.matching(kb, where)) == {new.id}
            await stores.documents.remove(kb, [new.id])
            assert not await stores.documents.matching(kb, where)

        self._run(check)

    def test_given_tags_are_found_at_once_and_listed_before_a_documents_own(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            names = await self._fill(stores, kb)
            leave, travel, *_ = names
            assert await stores.documents.tags(kb) == {leave: ["人事", "Leave"]}
            await stores.documents.matching(kb, SearchFilter(tags=("hr",)))
            await stores.documents.tag(kb, [leave, travel, "0123456789abcdef"], add=["HR", "b"])
            found = await stores.documents.matching(kb, SearchFilter(tags=("hr",)))
            assert set(found) == {leave, travel}
            assert await stores.documents.tags(kb) == {
                leave: ["HR", "b", "人事", "Leave"],
                travel: ["HR", "b"],
            }
            assert not await stores.documents.tags(kb + 1)

        self._run(check)

    def test_tags_are_given_once_and_taken_away(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            document = document_of("a", "text")
            await stores.put(kb, put_of(document))
            await stores.documents.tag(kb, [document.id], add=["x", "y", "x"])
            await stores.documents.tag(kb, [document.id], add=["x"], remove=["y", "unknown"])
            assert await stores.documents.tags(kb) == {document.id: ["x"]}

        self._run(check)

    def test_tags_stay_when_a_document_is_put_again_and_go_when_it_is_removed(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            document = document_of("a", "text")
            await stores.put(kb, put_of(document))
            await stores.documents.tag(kb, [document.id], add=["x"])
            await stores.put(kb, put_of(document_of("a", "other text")))
            assert await stores.documents.tags(kb) == {document.id: ["x"]}
            await stores.documents.remove(kb, [document.id])
            await stores.put(kb, put_of(document))
            assert await stores.documents.tags(kb) == {}

        self._run(check)

    def test_tags_go_with_their_knowledge_base(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            document = document_of("a", "text")
            await stores.put(kb, put_of(document))
            await stores.documents.tag(kb, [document.id], add=["x"])
            await stores.bases.delete("made")
            assert await stores.documents.tags(kb) == {}

        self._run(check)

    def test_what_cannot_be_a_tag_is_refused_before_anything_is_done(self) -> None:
        async def check(stores: Stores, kb: int) -> None:
            document = document_of("a", "text")
            await stores.put(kb, put_of(document))
            for tag in ("", " ", "a,b", "甲、乙", "a\nb", " a", "x" * 65):
                with pytest.raises(InputError):
                    await stores.documents.tag(kb, [document.id], add=["good", tag])
            assert await stores.documents.tags(kb) == {}
            await stores.documents.tag(kb, [document.id], add=["x" * 64, "a b", "标"])
            assert await stores.documents.tags(kb) == {document.id: ["a b", "x" * 64, "标"]}

        self._run(check)
