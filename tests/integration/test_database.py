from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

import wenqu
from wenqu.errors import ConflictError, StoreError
from wenqu.stores.bases import DatabaseKnowledgeBases
from wenqu.stores.changes import DatabaseChangeLog
from wenqu.stores.database import Database
from wenqu.stores.documents import DatabaseDocuments
from wenqu.stores.schema import metadata
from wenqu.testing.samples import MODEL, document_of, embedding_key_of, put_of, vector_of
from wenqu.types import KnowledgeBaseSettings

if TYPE_CHECKING:
    from sqlalchemy import Connection


COMMA = re.compile(r",(?![^(]*\))")  # not those between columns of a key
POSTGRES = os.environ.get("WENQU_TEST_POSTGRES_URL")


def test_migrations_build_what_the_tables_say(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/made.db"
    Database(url).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_migrated_tables_are_made_by_the_same_statements_as_the_described_ones(
    tmp_path: Path,
) -> None:
    """Also what Alembic does not compare: AUTOINCREMENT, ON DELETE, order of key columns."""
    Database(f"sqlite:///{tmp_path}/migrated.db").close()
    engine = create_engine(f"sqlite:///{tmp_path}/described.db")
    metadata.create_all(engine)
    engine.dispose()

    def statements(name: str) -> dict[str, list[str]]:
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
            # The order of columns and constraints inside a statement means nothing, and a column
            # that was added later stands on the line of the one before it.
            return {
                table: sorted(part.strip() for part in COMMA.split(sql))
                for table, sql in rows
                if table != "alembic_version"
            }

    assert statements("migrated.db") == statements("described.db")


def test_a_database_of_the_first_version_is_brought_up_to_date_and_loses_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "made.db"
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    migrations = Path(wenqu.__file__).parent / "stores" / "migrations"
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO knowledge_bases (name) VALUES ('old')"))
        connection.execute(
            text(
                "INSERT INTO documents VALUES (1, 'd', 's', 't', 'en', 'text', '[]', '{}', 1, 'h',"
                " 'r', 4, 1, CURRENT_TIMESTAMP)"
            )
        )
        connection.execute(
            text("INSERT INTO chunks VALUES (1, 'c', 'd', 0, 0, 4, 'text', '[]', '[]', 'k')")
        )
    engine.dispose()
    database = Database(f"sqlite:///{path}")
    (base,) = asyncio.run(DatabaseKnowledgeBases(database).list())
    assert (base.name, base.settings) == ("old", KnowledgeBaseSettings())
    (chunk,) = asyncio.run(DatabaseChangeLog(database).document_chunks(base.id, "d"))
    assert (chunk.text, chunk.header) == ("text", "")
    database.close()


def test_stored_settings_that_this_version_does_not_know_are_refused(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/made.db")
    bases = DatabaseKnowledgeBases(database)
    asyncio.run(bases.create("made"))
    for row in ('{"chunk_colour": "red"}', '{"chunk_strategy": "x"}', '{"chunk_tokens": 7}'):
        with closing(sqlite3.connect(tmp_path / "made.db")) as connection:
            connection.execute("UPDATE knowledge_bases SET settings = ?", (row,))
            connection.commit()
        with pytest.raises(StoreError) as caught:
            asyncio.run(bases.get("made"))
        assert caught.value.key == "error.kb_settings"
    database.close()


def test_a_database_of_a_newer_wenqu_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    Database(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(StoreError) as caught:
        Database(f"sqlite:///{path}")
    assert caught.value.key == "error.store_newer"
    assert "9999" in caught.value.message("zh")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////proc/nowhere/made.db",
        "nonsense",
        "mysterydb://localhost/x",
        "postgresql+psycopg://someone:secret-word@127.0.0.1:1/none",
    ],
)
def test_a_database_that_cannot_be_opened_is_an_error_without_its_password(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        Database(url)
    shown = caught.value.message("en") + str(caught.value.hint("en"))
    assert "secret-word" not in shown


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "made.db").write_bytes(b"some other file, long enough to have a header" * 100)
    with pytest.raises(StoreError) as caught:
        Database(f"sqlite:///{tmp_path}/made.db")
    assert caught.value.key == "error.store_damaged"


def test_sqlite_writes_ahead_and_keeps_references(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/made.db")

    def pragmas(connection: Connection) -> tuple[object, ...]:
        return tuple(
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous")
        )

    assert asyncio.run(database.read(pragmas)) == ("wal", 1, 1)
    database.close()


def test_an_error_in_the_middle_of_a_write_leaves_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/made.db")

    def failing(connection: Connection) -> None:
        connection.execute(text("INSERT INTO knowledge_bases (name) VALUES ('half')"))
        raise ConflictError("error.kb_exists", name="half")

    with pytest.raises(ConflictError):
        asyncio.run(database.write(failing))
    assert list(asyncio.run(DatabaseKnowledgeBases(database).list())) == []
    database.close()


def test_embeddings_are_float16_by_key_and_model(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    database = Database(f"sqlite:///{path}")

    async def fill() -> None:
        kb = (await DatabaseKnowledgeBases(database).create("made")).id
        documents = DatabaseDocuments(database)
        await documents.put(kb, [put_of(document_of("a", "one"))], MODEL)
        await documents.put(kb, [put_of(document_of("a", "one"))], "made:2")
        log = DatabaseChangeLog(database)
        for model in (MODEL, "made:2"):
            async for batch in log.changes(kb, 0, model):
                assert [change.vectors.dtype for change in batch] == [np.float16]

    asyncio.run(fill())
    database.close()
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT key, model, vector FROM embeddings ORDER BY model")
        expected = vector_of("one").astype("<f2").tobytes()
        assert rows.fetchall() == [
            (embedding_key_of("one"), MODEL, expected),
            (embedding_key_of("one"), "made:2", expected),
        ]


WRITER = """
import asyncio, sys
from wenqu.errors import ConflictError
from wenqu.stores.bases import DatabaseKnowledgeBases
from wenqu.stores.database import Database
from wenqu.stores.documents import DatabaseDocuments
from wenqu.testing.samples import MODEL, document_of, put_of

async def main(url, name):
    database = Database(url)
    bases, documents = DatabaseKnowledgeBases(database), DatabaseDocuments(database)
    try:
        kb = (await bases.create("made")).id
    except ConflictError:
        kb = (await bases.get("made")).id
    for number in range(40):
        await documents.put(kb, [put_of(document_of(f"{name} {number}", "shared", name))], MODEL)
        if number % 4 == 0:
            await documents.remove(kb, [document_of(f"{name} {number}").id])
    database.close()

asyncio.run(main(*sys.argv[1:]))
"""


def drop_everything(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "sqlite",
        pytest.param(
            "postgresql",
            marks=pytest.mark.skipif(
                not POSTGRES, reason="set WENQU_TEST_POSTGRES_URL to an empty database"
            ),
        ),
    ],
)
def test_processes_that_write_at_once_do_not_fail(tmp_path: Path, kind: str) -> None:
    """From the very beginning: they also race to make the tables."""
    url = f"sqlite:///{tmp_path}/made.db"
    if kind == "postgresql":
        url = str(POSTGRES)
        drop_everything(url)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, url, name], stderr=subprocess.PIPE, text=True
        )
        for name in ("甲", "乙", "丙")
    ]
    errors = [writer.communicate(timeout=120)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], errors
    database = Database(url)

    async def check() -> None:
        kb = (await DatabaseKnowledgeBases(database).get("made")).id
        assert len(await DatabaseDocuments(database).documents(kb)) == 90
        changes = [
            change
            async for batch in DatabaseChangeLog(database).changes(kb, 0, MODEL)
            for change in batch
        ]
        assert sum(len(change.chunks) for change in changes) == 180
        assert len(changes) == 120

    asyncio.run(check())
    database.close()


RACER = """
import sys
from wenqu.stores.database import Database
sys.stdin.readline()
Database(sys.argv[1]).close()
"""


@pytest.mark.slow
def test_processes_that_open_a_new_database_at_once_do_not_fail(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, f"sqlite:///{tmp_path}/made.db"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    errors = [racer.communicate(timeout=120)[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * 4, errors


def test_what_is_remembered_is_looked_up_again_after_any_commit_and_only_then(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/made.db"
    here, other = Database(url), Database(url)
    asked: list[str] = []

    def work(connection: Connection) -> int:
        asked.append("bases")
        return int(connection.execute(text("SELECT count(*) FROM knowledge_bases")).scalar_one())

    async def count() -> int | None:
        return await here.remembered("bases", work)

    async def follow() -> None:
        assert [await count(), await count()] == [0, 0]
        await DatabaseKnowledgeBases(other).create("theirs")
        assert [await count(), await count()] == [1, 1]
        await DatabaseKnowledgeBases(here).create("ours")
        assert [await count(), await count()] == [2, 2]

    asyncio.run(follow())
    assert len(asked) == 3
    here.close()
    other.close()


def test_nothing_is_remembered_of_a_database_in_memory() -> None:
    database = Database("sqlite://")
    asked: list[str] = []

    async def ask() -> None:
        for _ in range(2):
            await database.remembered("any", lambda _: asked.append("any"))
            await database.remembered("other", lambda _: asked.append("other") or "found")

    asyncio.run(ask())
    assert asked == ["any", "other"] * 2
    database.close()


def test_what_is_not_there_is_looked_up_each_time(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/made.db")
    asked: list[str] = []

    async def ask() -> None:
        for _ in range(2):
            await database.remembered("any", lambda _: asked.append("any"))

    asyncio.run(ask())
    assert asked == ["any", "any"]
    database.close()
