"""Opens the database, brings its schema up to date, and runs work on it off the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from wenqu.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sqlalchemy.engine import URL

__all__ = ["Database"]

T = TypeVar("T")

_BUSY_TIMEOUT_S = 60
_DAMAGED = frozenset({"file is not a database", "database disk image is malformed"})
"""What SQLite says of a file that no waiting, room or right will make good again."""
_WRITERS_LOCK = 0x77656E7175
"""Any number that no other program takes: "wenqu" in ASCII."""


class Database:
    """One database: SQLite in WAL mode, or PostgreSQL, by URL.

    Args:
        url: SQLAlchemy URL. A SQLite file and its folder are created where they are missing.

    Raises:
        StoreError: It cannot be opened, or was made by a newer wenqu.
    """

    def __init__(self, url: str) -> None:
        self._shown_url = "the database"
        self._remembered: dict[Hashable, object] = {}
        self._remembered_at: int | None = None
        try:
            parsed = make_url(url)
            self._shown_url = parsed.render_as_string(hide_password=True)
            self._engine = _engine(parsed)
            self._writer = self._engine.execution_options(wenqu_writes=True)
            _upgrade(self._engine, self._writer)
            self._commits = _Commits.of(self._engine)
        except (SQLAlchemyError, ArgumentError, ImportError, OSError) as error:
            raise self._error(error) from error

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a thread, on a connection of its own.

        Raises:
            StoreError: The database failed.
        """
        return await asyncio.to_thread(self._run, self._engine.connect, work)

    async def remembered(self, key: Hashable, work: Callable[[Connection], T | None]) -> T | None:
        """Return what ``work`` returned for ``key`` last time, if nothing was committed since.

        For the few small things that every question asks for: to run work takes longer than to
        see that nothing changed. ``None`` is not remembered.

        Raises:
            StoreError: The database failed.
        """
        # Looked at before the work is run: what is committed meanwhile makes another number.
        number = self._commits.number() if self._commits is not None else None
        if number is None:
            return await self.read(work)
        if number != self._remembered_at:
            self._remembered_at, self._remembered = number, {}
        remembered = self._remembered
        if key not in remembered:
            found = await self.read(work)
            if found is None:
                return None
            remembered[key] = found
        return cast("T", remembered[key])

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a thread, in one transaction: committed when it returns.

        Raises:
            StoreError: The database failed; nothing was written.
        """
        return await asyncio.to_thread(self._run, self._writer.begin, work)

    def close(self) -> None:
        """Close all connections."""
        if self._commits is not None:
            self._commits.close()
        self._engine.dispose()

    def _run(self, connect: Callable[[], object], work: Callable[[Connection], T]) -> T:
        try:
            with connect() as connection:  # type: ignore[attr-defined]
                return work(connection)
        except SQLAlchemyError as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> StoreError:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        if reason in _DAMAGED:
            return StoreError("error.store_damaged", reason=reason, url=self._shown_url)
        return StoreError("error.store", reason=reason, url=self._shown_url)


class _Commits:
    """Tells whether anyone has committed anything to a SQLite file, within some microseconds."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def of(cls, engine: Engine) -> _Commits | None:
        """Return one for the engine's database; None where that cannot be told so quickly."""
        path = engine.url.database
        if engine.dialect.name != "sqlite" or path is None or not Path(path).is_file():
            return None
        # Of its own, and never written by: SQLite counts what other connections commit.
        return cls(sqlite3.connect(path, check_same_thread=False, isolation_level=None))

    def number(self) -> int | None:
        """Return a number that is another after every commit; None where that fails."""
        try:
            with self._lock:
                return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return None

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return _postgres(url)
    if url.database and url.database != ":memory:":
        Path(url.database).expanduser().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def _configure(connection: object, _record: object) -> None:
        # The driver's own implicit BEGIN comes too late (before the first write): see _begin.
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        # WAL: readers never wait for the writer. NORMAL: a killed process loses nothing; only a
        # power cut may lose the last transactions, and a repeated ingest brings those back.
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Who will write takes the lock at once, so that two writers queue up instead of one
        # failing when it turns from reading to writing.
        writes = connection.get_execution_options().get("wenqu_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres(url: URL) -> Engine:
    engine = create_engine(url, pool_pre_ping=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # As in SQLite, one writer at a time: numbers of the change log are given before a commit,
        # and an index that has seen a later one would never look for an earlier one again.
        if connection.get_execution_options().get("wenqu_writes"):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")

    return engine


def _upgrade(engine: Engine, writer: Engine) -> None:
    """Bring the schema up to date; quick where it is already (no Alembic import then)."""
    from sqlalchemy import inspect, text

    head = _head()
    with engine.connect() as connection:
        present: str | None = None
        if inspect(connection).has_table("alembic_version"):
            present = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if present == head:
        return
    known = {path.name.split("_")[0] for path in _versions()}
    if present is not None and present not in known:
        raise StoreError("error.store_newer", revision=present)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with writer.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _versions() -> list[Path]:
    return sorted((Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))


def _head() -> str:
    return _versions()[-1].name.split("_")[0]
