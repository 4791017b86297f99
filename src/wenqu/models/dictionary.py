"""The bilingual dictionary: looked up on disk, in a file that is made from the one fetched.

Sorting 120,000 entries by their English terms takes seconds, so what comes of it is kept beside the
file, under a name that says which tokeniser made it.
"""

from __future__ import annotations

import gzip
import hashlib
import sqlite3
import tempfile
import threading
import zlib
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from wenqu.errors import ModelError
from wenqu.models import fetch
from wenqu.text.glosses import (
    asked_phrases,
    asked_words,
    chinese_sense,
    entry,
    phrases_in,
    words_in,
)
from wenqu.text.language import detect
from wenqu.text.tokenize import FINGERPRINT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wenqu.models.catalog import ModelEntry
    from wenqu.protocols import Sense, Senses

__all__ = ["Cedict", "open_dictionary"]

_FORMAT = 1
"""Raise it when the table or what goes into it changes: it is in the file's name."""
_TABLE = "CREATE TABLE said (key TEXT PRIMARY KEY, senses TEXT NOT NULL) WITHOUT ROWID"
_AT_ONCE = 500
"""Keys asked for in one statement; SQLite before version 3.32 takes 999."""


def open_dictionary(entry: ModelEntry, models_dir: Path) -> Cedict | None:
    """Return the dictionary of ``entry``, opened when first used; None where it is not here."""
    path = fetch.located(entry, models_dir)
    return None if path is None else Cedict(path, entry.name)


class Cedict:
    """CC-CEDICT, both ways. Safe to share between threads.

    Args:
        path: Its lines, gzipped.
        name: How the file that is made from it is named, in the same folder.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        made_by = hashlib.sha256(f"{_FORMAT};{FINGERPRINT}".encode()).hexdigest()[:8]
        self._made = path.with_name(f"{name}-{made_by}.sqlite")
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def translate(self, question: str) -> tuple[Senses, ...]:
        """See ``protocols.Dictionary``.

        Raises:
            ModelError: The file cannot be read.
        """
        if detect(question) == "zh":
            known = self._senses(asked_words(question))
            return tuple(known[word] for word in words_in(question, known))
        asked = {" ".join(phrase): phrase for phrase in asked_phrases(question)}
        phrases = {asked[key]: senses for key, senses in self._senses(asked).items()}
        return tuple(phrases[phrase] for phrase in phrases_in(question, phrases))

    def prepare(self) -> None:
        """Make the file that is looked up, where it is not there: some seconds.

        Raises:
            ModelError: The dictionary cannot be read, or the file not be written.
        """
        self._senses(())

    def _senses(self, keys: Iterable[str]) -> dict[str, Senses]:
        """Return those of ``keys`` that the dictionary has, with their senses."""
        found: dict[str, Senses] = {}
        with self._lock:
            try:
                database = self._opened()
                left = iter(sorted(keys))
                while some := list(islice(left, _AT_ONCE)):
                    marks = ",".join("?" * len(some))
                    rows = database.execute(
                        f"SELECT key, senses FROM said WHERE key IN ({marks})",  # noqa: S608
                        some,
                    )
                    for key, senses in rows:
                        found[key] = tuple(tuple(one.split(" ")) for one in senses.split("\n"))
            except sqlite3.Error as error:
                # What was made is damaged: the next question makes it anew.
                self._made.unlink(missing_ok=True)
                self._database = None
                raise self._failed(error) from error
            except (OSError, EOFError, ValueError, zlib.error) as error:
                raise self._failed(error) from error
        return found

    def _failed(self, error: Exception) -> ModelError:
        return ModelError("error.dictionary", path=self._path, reason=error)

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            if not self._made.exists():
                self._make()
            self._database = sqlite3.connect(
                f"{self._made.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
            )
        return self._database

    def _make(self) -> None:
        """Make the file, whole or not at all; several processes may be at it."""
        with tempfile.TemporaryDirectory(dir=self._path.parent) as folder:
            new = Path(folder) / self._made.name
            with closing(sqlite3.connect(new)) as database, database:
                database.execute(_TABLE)
                database.executemany("INSERT INTO said VALUES (?, ?)", _rows(self._path))
            new.replace(self._made)


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """Yield a key and its senses, for words of both languages."""
    chinese: dict[str, dict[Sense, None]] = {}
    english: dict[Sense, dict[Sense, None]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if found := entry(line.rstrip()):
                word, meanings = found
                chinese.setdefault(word, {}).update(dict.fromkeys(meanings))
                sense = chinese_sense(word)
                for meaning in meanings if sense else ():
                    english.setdefault(meaning, {})[sense] = None
    said = {word: _line(senses) for word, senses in chinese.items()}
    # "T恤" is Chinese: what is written in Latin letters alone is looked up as English.
    said |= {" ".join(phrase): _line(senses) for phrase, senses in english.items()}
    yield from said.items()


def _line(senses: Iterable[Sense]) -> str:
    return "\n".join(" ".join(sense) for sense in senses)
