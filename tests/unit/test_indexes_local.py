from __future__ import annotations

import asyncio
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from wenqu.errors import IndexMismatchError, StoreError
from wenqu.indexes.local import LocalIndex, discard
from wenqu.testing.samples import DIMENSION, change_of, document_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from wenqu.protocols import Change


def open_index(folder: Path, fingerprint: str = "made:1", dimension: int = DIMENSION) -> LocalIndex:
    return LocalIndex(folder, fingerprint, dimension)


async def stream(*changes: Change) -> AsyncIterator[Sequence[Change]]:
    yield changes


def filled(folder: Path) -> LocalIndex:
    index = open_index(folder)
    asyncio.run(index.apply(stream(*(change_of(n, document_of(f"{n}", "a b")) for n in (1, 2, 3)))))
    return index


@pytest.mark.parametrize(("fingerprint", "dimension"), [("made:2", DIMENSION), ("made:1", 8)])
def test_an_index_made_in_another_way_is_refused_with_a_hint(
    tmp_path: Path, fingerprint: str, dimension: int
) -> None:
    filled(tmp_path)
    with pytest.raises(IndexMismatchError) as caught:
        open_index(tmp_path, fingerprint, dimension)
    assert str(tmp_path) in caught.value.message("zh")
    assert caught.value.hint("en")


def test_an_empty_one_that_was_never_written_fits_any_fingerprint(tmp_path: Path) -> None:
    open_index(tmp_path)
    assert open_index(tmp_path, "made:2").state.applied == 0


def test_it_is_worn_by_what_was_replaced_and_by_nothing_else(tmp_path: Path) -> None:
    index = filled(tmp_path)
    assert not index.state.worn
    asyncio.run(index.apply(stream(change_of(4, document_of("new", "c")))))
    assert not index.state.worn
    asyncio.run(index.apply(stream(change_of(5, document_of("new", "d")))))
    assert index.state.worn
    assert open_index(tmp_path).state == index.state


def test_it_is_worn_by_a_crash_in_the_middle_of_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then tantivy may hold entries that nobody counted."""
    index = filled(tmp_path)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wenqu.indexes.vectors.VectorIndex.save", crash)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(index.apply(stream(change_of(4, document_of("new", "c")))))
    monkeypatch.undo()
    again = open_index(tmp_path)
    assert (again.state.applied, again.state.worn) == (3, True)
    asyncio.run(again.apply(stream(change_of(4, document_of("new", "c"))), anew=True))
    assert not again.state.worn


def test_a_large_one_is_worn_only_by_a_tenth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wenqu.indexes.local._SMALL", 0)
    index = open_index(tmp_path)
    documents = [document_of(f"{n}", f"text {n}") for n in range(40)]
    asyncio.run(index.apply(stream(*(change_of(n, one) for n, one in enumerate(documents, 1)))))
    worn = []
    for number in range(6):
        asyncio.run(index.apply(stream(change_of(41 + number, document_of(f"{number}")))))
        worn.append(index.state.worn)
    # 4 dead beside 36 alive are a ninth; 3 beside 37 are less than a tenth.
    assert worn == [False, False, False, True, True, True]


def test_a_writer_waits_for_another_process(tmp_path: Path) -> None:
    index = filled(tmp_path)

    async def check() -> None:
        with FileLock(tmp_path / "write.lock"):
            writing = asyncio.create_task(index.apply(stream(change_of(4, document_of("4", "c")))))
            done, _ = await asyncio.wait([writing], timeout=0.2)
            assert not done
            assert len((await index.lexical("a", 9)).hits) == 3
        await writing
        assert index.state.applied == 4

    asyncio.run(check())


def test_a_writer_that_gave_up_waiting_leaves_the_lock_free(tmp_path: Path) -> None:
    index = filled(tmp_path)

    async def check() -> None:
        with FileLock(tmp_path / "write.lock"), pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await index.apply(stream(change_of(4, document_of("4", "c"))))
        await index.apply(stream(change_of(4, document_of("4", "c"))))
        assert index.state.applied == 4
        with FileLock(tmp_path / "write.lock", timeout=0):
            pass

    asyncio.run(check())


def test_a_failed_stream_leaves_the_lock_free(tmp_path: Path) -> None:
    index = filled(tmp_path)

    async def broken() -> AsyncIterator[Sequence[Change]]:
        yield [change_of(4, document_of("4", "c"))]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        asyncio.run(index.apply(broken()))
    with FileLock(tmp_path / "write.lock", timeout=0):
        pass


def test_old_generations_are_deleted(tmp_path: Path) -> None:
    index = filled(tmp_path)
    for number in (4, 5):
        asyncio.run(index.apply(stream(change_of(number, document_of("a", "b"))), anew=True))
    assert [path.name for path in tmp_path.glob("generation-*")] == ["generation-2"]


def test_a_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "indexes").write_text("a file", "utf-8")
    with pytest.raises(StoreError, match=re.escape(str(tmp_path / "indexes" / "1"))) as caught:
        open_index(tmp_path / "indexes" / "1")
    assert caught.value.hint("zh")


def test_what_stands_in_the_way_of_writing_is_said_in_words(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    # Where the words go: neither tantivy nor the vectors can be written any more.
    shutil.rmtree(tmp_path / "generation-0")
    (tmp_path / "generation-0").write_text("a file", "utf-8")
    with pytest.raises(StoreError, match="NotADirectory") as caught:
        asyncio.run(index.apply(stream(change_of(1, document_of("1", "a b")))))
    assert caught.value.key == "error.index_folder"


def test_discarding_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    discard(tmp_path / "nowhere")
    filled(tmp_path / "index")
    discard(tmp_path / "index")
    assert not (tmp_path / "index").exists()
