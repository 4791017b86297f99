"""Real files with what is known of them: how much of it a reader finds.

A folder of such files has a ``manifest.jsonl``, a JSON object a line: ``file``, ``format``,
``kind``, ``expected_text`` (strings that must be found), ``expected_file`` (the whole text as
someone else wrote it down), ``encoding``, ``password``. ``bench/readers.py`` and the tests measure
by it, so that both mean the same by "found".
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from wenqu.types import Document

__all__ = ["DocFile", "Share", "bare", "everything", "load", "originals"]

_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*(?:\([^()]*\)[^()]*)*\)")
_MARKS = re.compile(r"[\s|*_~`#\\\[\]\u00ad\u200b-\u200f\ufeff\u2010\u2011-]+")
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+"
)
_RULE = re.compile(r"[\s|:=-]*\Z")
_BAR = re.compile(r"(?<!\\)\|")
_HIDDEN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_RUN = re.compile(r"[^\W\d_]{2,40}")
_NATIVE_WORD = re.compile(r'Str\s+"((?:[^"\\]|\\.)*)"')
_SMALL_BYTES = 1 << 20
_ENOUGH = 0.5
"""Read in another encoding, next to no word is right; a menu that is left out costs some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of so many."""

    found: int = 0
    of: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(found=self.found + other.found, of=self.of + other.of)

    @property
    def percent(self) -> float | None:
        """The share in percent, or None of nothing."""
        return 100 * self.found / self.of if self.of else None


@dataclass(frozen=True, kw_only=True)
class DocFile:
    """One file of the folder."""

    folder: Path
    row: dict[str, Any]

    @property
    def name(self) -> str:
        """The file's path below the folder."""
        return str(self.row["file"])

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.folder / self.name

    @property
    def format(self) -> str:
        """The format that its suffix names."""
        return str(self.row["format"])

    @property
    def kind(self) -> str:
        """What is special about it, or "normal"."""
        return str(self.row["kind"])

    @property
    def pages(self) -> int:
        """Pages of a PDF, else 0."""
        return int(self.row.get("pages") or 0)

    @property
    def strings(self) -> list[str]:
        """What must be found in it."""
        return list(self.row["expected_text"])

    @property
    def password(self) -> str | None:
        """The password that opens it, where one is known to."""
        return self.row["password"] if self.row.get("password_verified") else None

    @property
    def locked(self) -> bool:
        """Whether nothing can be read without a password."""
        known = self.row.get("password_verified") is not None
        return known or (self.kind == "encrypted" and bool(self.row["must_fail_cleanly"]))

    @property
    def born_digital(self) -> bool:
        """Whether it is a PDF with text on its pages that anyone may read."""
        characters = self.row.get("text_layer_chars") or 0
        sound = self.kind in {"normal", "large", "multilingual"}
        return self.format == "pdf" and sound and self.pages > 0 and characters > 0

    @property
    def scanned(self) -> bool:
        """Whether its text is in images only."""
        return self.kind in {"scanned", "image", "image-only", "no-text-layer"}

    def missing(self, text: str) -> list[str]:
        """Return the expected strings that ``text`` lacks, whatever their spacing and marks."""
        plain = bare(text)
        return [string for string in self.strings if bare(string) not in plain]

    def words_found(self, text: str) -> Share:
        """Return how many of the words of the whole text are in ``text``, each as often."""
        wanted = self._truth_words
        return Share(found=(wanted & _words(text)).total(), of=wanted.total())

    def rows_found(self, text: str) -> Share:
        """Return how many rows of the whole text's tables are rows in ``text``, cell by cell."""
        wanted = self._truth_rows
        return Share(found=(wanted & Counter(_rows(text))).total(), of=wanted.total())

    def decoded(self, text: str) -> bool | None:
        """Say whether ``text`` was decoded as the manifest says; None where it says nothing."""
        if self.kind != "encoding" or not self.row["encoding"]:
            return None
        try:
            told = self.path.read_bytes().decode(self.row["encoding"], "replace")
        except LookupError:
            return None
        words = set(_RUN.findall(html.unescape(_HIDDEN.sub(" ", told))))
        strange = {word for word in words if not word.isascii()} or words
        plain = bare(text)
        right = sum(bare(word) in plain for word in strange)
        return right >= _ENOUGH * len(strange) and text.count("\ufffd") <= told.count("\ufffd")

    @cached_property
    def _truth(self) -> str:
        named = self.row["expected_file"]
        text = (self.folder / named).read_text("utf-8", "replace") if named else ""
        return _COMMENT.sub("", text)

    @cached_property
    def _truth_words(self) -> Counter[str]:
        native = str(self.row["expected_file"]).endswith(".native")
        return _words(" ".join(_NATIVE_WORD.findall(self._truth)) if native else self._truth)

    @cached_property
    def _truth_rows(self) -> Counter[tuple[str, ...]]:
        return Counter(_rows(self._truth))


def load(folder: Path) -> list[DocFile]:
    """Return the files of a folder's manifest that are there."""
    rows = (folder / "manifest.jsonl").read_text("utf-8").splitlines()
    files = [DocFile(folder=folder, row=json.loads(row)) for row in rows if row.strip()]
    return [file for file in files if file.path.is_file()]


def originals(folder: Path, formats: Collection[str] = ()) -> list[Path]:
    """Return the files that are damaged in fuzzing, in order: the small ones of all formats."""
    chosen = [file for file in load(folder) if not formats or file.format in formats]
    return sorted(file.path for file in chosen if file.path.stat().st_size <= _SMALL_BYTES)


def bare(text: str) -> str:
    """Leave what a text says: no white space, no marks of Markdown, one form of each letter."""
    return _MARKS.sub("", unicodedata.normalize("NFKC", _LINK.sub(r"\1", text)))


def everything(document: Document) -> str:
    """Return all that a document says: its text, its title and its meta."""
    return "\n".join((document.title, document.text, *document.meta.values()))


def _words(text: str) -> Counter[str]:
    plain = unicodedata.normalize("NFKC", html.unescape(_LINK.sub(r"\1", text)).replace("\\", ""))
    return Counter(_WORD.findall(plain.casefold()))


def _rows(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the rows of Markdown tables as their cells, empty ones left out."""
    for line in text.splitlines():
        if line.count("|") > 1 and line.lstrip().startswith("|") and not _RULE.match(line):
            cells = (bare(html.unescape(cell)) for cell in _BAR.split(line))
            if kept := tuple(filter(None, cells)):
                yield kept
