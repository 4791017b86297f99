from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import StoreError
from wenqu.indexes.local import LocalIndex, discard
from wenqu.pipeline.project import Projector
from wenqu.testing.samples import DIMENSION, MODEL, document_of, put_of, vector_of

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from wenqu.protocols import Index
    from wenqu.testing.contracts_store import Stores

BRIDGES = document_of("one", "赵州桥在河北省赵县。", "The old bridge has one arch.")
RIVERS = document_of("two", "长江是中国最长的河流。")


class Folders:
    """``IndexFactory`` over one folder, which counts what was asked of it."""

    def __init__(self, folder: Path, fingerprint: str = "made:1") -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self.opened = 0
        self.discarded = 0

    def open(self, kb: int) -> Index:
        self.opened += 1
        return LocalIndex(self.folder / str(kb), self.fingerprint, DIMENSION)

    def discard(self, kb: int) -> None:
        self.discarded += 1
        discard(self.folder / str(kb))


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "indexes")


@pytest.fixture
def filled(stores: Stores, kb: int) -> int:
    asyncio.run(stores.put(kb, put_of(BRIDGES), put_of(RIVERS)))
    return kb


def run(check: Coroutine[object, object, None]) -> None:
    asyncio.run(check)


async def found(index: Index) -> tuple[object, ...]:
    answers: list[object] = []
    for question in ("赵州桥", "bridge", "河流"):
        answers.append(list((await index.lexical(question, 9)).hits))
        answers.append(list(await index.dense(vector_of(question), 9)))
    return tuple(answers)


def test_an_index_is_made_when_it_is_first_needed(
    stores: Stores, filled: int, folders: Folders
) -> None:
    async def check() -> None:
        projector = Projector(stores.changes, folders, MODEL)
        index = await projector.current(filled)
        assert index.state.applied == await stores.changes.head(filled)
        assert len((await index.lexical("赵州桥", 9)).hits) == 1
        assert await projector.current(filled) is index
        assert (folders.opened, folders.discarded) == (1, 0)
        await projector.close()

    run(check())


def test_an_index_follows_what_was_changed_and_removed(
    stores: Stores, filled: int, folders: Folders
) -> None:
    async def check() -> None:
        projector = Projector(stores.changes, folders, MODEL)
        await projector.current(filled)
        await stores.put(filled, put_of(document_of("one", "A tunnel.")))
        await stores.documents.remove(filled, [RIVERS.id])
        index = await projector.current(filled)
        assert [len((await index.lexical(text, 9)).hits) for text in ("桥", "长江", "tunnel")] == [
            0,
            0,
            1,
        ]

    run(check())


def test_after_changes_it_scores_like_one_that_was_made_anew(
    stores: Stores, filled: int, folders: Folders, tmp_path: Path
) -> None:
    async def check() -> None:
        projector = Projector(stores.changes, folders, MODEL)
        await projector.current(filled)
        await stores.put(filled, put_of(document_of("one", "A tunnel is no bridge.")))
        followed = await found(await projector.current(filled))
        anew = Projector(stores.changes, Folders(tmp_path / "others"), MODEL)
        assert followed == await found(await anew.current(filled))

    run(check())


def test_a_deleted_folder_is_rebuilt_to_the_same_hits(
    stores: Stores, filled: int, folders: Folders
) -> None:
    async def check() -> None:
        before = await found(await Projector(stores.changes, folders, MODEL).current(filled))
        shutil.rmtree(folders.folder)
        assert (
            await found(await Projector(stores.changes, folders, MODEL).current(filled)) == before
        )

    run(check())


def test_a_folder_that_is_deleted_while_it_is_open_is_rebuilt(
    stores: Stores, filled: int, folders: Folders
) -> None:
    async def check() -> None:
        projector = Projector(stores.changes, folders, MODEL)
        await projector.current(filled)
        shutil.rmtree(folders.folder)
        await stores.put(filled, put_of(document_of("three", "A tunnel.")))
        index = await projector.current(filled)
        assert len((await index.lexical("tunnel", 9)).hits) == 1
        assert len((await index.lexical("赵州桥", 9)).hits) == 1
        again = Projector(stores.changes, folders, MODEL)
        assert await found(await again.current(filled)) == await found(index)

    run(check())


def test_an_index_of_another_fingerprint_is_rebuilt(
    stores: Stores, filled: int, folders: Folders
) -> None:
    async def check() -> None:
        before = await found(await Projector(stores.changes, folders, MODEL).current(filled))
        rebuilt: list[bool] = []
        other = Folders(folders.folder, "made:2")
        projector = Projector(stores.changes, other, MODEL)
        index = await projector.current(filled, on_rebuild=lambda: rebuilt.append(True))
        assert (rebuilt, other.discarded) == ([True], 1)
        assert await found(index) == before

    run(check())


def test_an_index_that_another_process_made_otherwise_is_rebuilt(
    stores: Stores, filled: int, folders: Folders
) -> None:
    async def check() -> None:
        projector = Projector(stores.changes, folders, MODEL)
        await projector.current(filled)
        other = Projector(stores.changes, Folders(folders.folder, "made:2"), MODEL)
        await other.current(filled)
        await stores.put(filled, put_of(document_of("three", "A tunnel.")))
        index = await projector.current(filled)
        assert len((await index.lexical("tunnel", 9)).hits) == 1
        manifest = json.loads((folders.folder / str(filled) / "manifest.json").read_text("utf-8"))
        assert manifest["fingerprint"] == "made:1"

    run(check())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", b"{"),
        ("manifest.json", b"[]"),
        ("manifest.json", b'{"format": "local-0"}'),
        ("generation-0/vectors.npz", b"no vectors"),
        ("generation-0/vectors.npz", None),
        ("generation-0/lexical/meta.json", b"{"),
    ],
)
def test_a_damaged_index_is_rebuilt(
    stores: Stores, filled: int, folders: Folders, name: str, content: bytes | None
) -> None:
    async def check() -> None:
        before = await found(await Projector(stores.changes, folders, MODEL).current(filled))
        path = folders.folder / str(filled) / name
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        assert (
            await found(await Projector(stores.changes, folders, MODEL).current(filled)) == before
        )
        assert folders.discarded == 1

    run(check())


def test_a_worn_index_is_made_anew(stores: Stores, filled: int, folders: Folders) -> None:
    async def check() -> None:
        projector = Projector(stores.changes, folders, MODEL)
        await projector.current(filled)
        await stores.documents.remove(filled, [RIVERS.id])
        index = await projector.current(filled)
        assert not index.state.worn
        names = {path.name for path in (folders.folder / str(filled)).glob("generation-*")}
        assert names == {"generation-1"}

    run(check())


def test_two_projectors_on_one_folder_follow_each_other(
    stores: Stores, filled: int, folders: Folders
) -> None:
    async def check() -> None:
        first = Projector(stores.changes, folders, MODEL)
        second = Projector(stores.changes, folders, MODEL)
        await first.current(filled)
        await second.current(filled)
        await stores.documents.remove(filled, [RIVERS.id])  # the first makes a new generation
        await first.current(filled)
        await stores.put(filled, put_of(document_of("three", "A tunnel.")))
        for projector in (second, first):
            index = await projector.current(filled)
            assert len((await index.lexical("tunnel", 9)).hits) == 1
            assert len((await index.lexical("长江", 9)).hits) == 0

    run(check())


def test_two_projectors_may_start_on_nothing_at_once(
    stores: Stores, filled: int, folders: Folders
) -> None:
    async def check() -> None:
        projectors = [Projector(stores.changes, folders, MODEL) for _ in range(3)]
        indexes = await asyncio.gather(*(one.current(filled) for one in projectors))
        answers = [await found(index) for index in indexes]
        assert answers[0] == answers[1] == answers[2]
        assert len((await indexes[0].lexical("赵州桥", 9)).hits) == 1

    run(check())


def test_many_questions_at_once_make_the_index_once(
    stores: Stores, filled: int, folders: Folders
) -> None:
    async def check() -> None:
        projector = Projector(stores.changes, folders, MODEL)
        indexes = await asyncio.gather(*(projector.current(filled) for _ in range(5)))
        assert all(index is indexes[0] for index in indexes)
        assert folders.opened == 1

    run(check())


def test_a_crash_between_the_two_halves_of_a_change_leaves_no_trace_in_the_scores(
    stores: Stores, filled: int, folders: Folders, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def check() -> None:
        await Projector(stores.changes, folders, MODEL).current(filled)
        await stores.put(filled, put_of(document_of("three", "A bridge, and another bridge.")))

        def crash(*_: object) -> None:
            raise KeyboardInterrupt

        # The words are committed by then; the vectors and the manifest are not.
        monkeypatch.setattr("wenqu.indexes.vectors.VectorIndex.save", crash)
        with pytest.raises(KeyboardInterrupt):
            await Projector(stores.changes, folders, MODEL).current(filled)
        monkeypatch.undo()
        recovered = await found(await Projector(stores.changes, folders, MODEL).current(filled))
        undisturbed = Projector(stores.changes, Folders(tmp_path / "others"), MODEL)
        assert recovered == await found(await undisturbed.current(filled))

    run(check())


def test_vectors_that_are_missing_are_an_error_with_a_hint(
    stores: Stores, filled: int, folders: Folders
) -> None:
    async def check() -> None:
        projector = Projector(stores.changes, folders, "another model")
        with pytest.raises(StoreError) as caught:
            await projector.current(filled)
        assert caught.value.key == "error.vectors_missing"

    run(check())


def test_a_forgotten_index_is_made_again(stores: Stores, filled: int, folders: Folders) -> None:
    async def check() -> None:
        projector = Projector(stores.changes, folders, MODEL)
        before = await found(await projector.current(filled))
        await projector.forget(filled)
        assert not (folders.folder / str(filled)).exists()
        assert await found(await projector.current(filled)) == before

    run(check())
