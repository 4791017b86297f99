"""JSON and JSON Lines, so that a record can be found and read alone.

Regular records with short values become one Markdown table; others become a paragraph each, a line
``name: value`` a field; what holds more of either becomes a section below its name. The same
writing serves other data of names and values, such as XML that is no prose.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeAlias

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder, collapse, file_stem, only_text, table_row
from wenqu.readers.encoding import decode, looks_binary
from wenqu.readers.markup.text import add_plain
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["LINE_SUFFIXES", "SUFFIXES", "JsonReader", "Value", "title_of", "write_value"]

SUFFIXES = frozenset({".json", ".geojson", ".webmanifest", ".har"})
LINE_SUFFIXES = frozenset({".jsonl", ".ndjson", ".jsonlines"})

Value: TypeAlias = "str | list[Value] | dict[str, Value] | bool | None"
"""What JSON holds, numbers as they are written."""

_JSON_HEAD = re.compile(rb'\A(?:\xef\xbb\xbf)?\s*(?:\{\s*"[^"\n]{0,200}"\s*:|\[\s*[\[{"])')
# Files that begin like JSON and are known by their names as something else.
_OTHER_SUFFIXES = frozenset({".txt", ".md", ".csv", ".tsv", ".log", ".rst", ".json5", ".jsonc"})
_TITLE_KEYS = ("title", "name", "标题", "名称", "题目")
_ITEM_KEYS = (*_TITLE_KEYS, "question", "问题", "subject", "label", "id")
_MAX_NAME = 80  # characters of a value that may head a section
_MAX_CELL = 120
_MAX_ROW = 400
_MAX_COLUMNS = 30
_SHORT_LIST = 200
_MAX_DEPTH = 20  # what is nested deeper stays as it is written
_MAX_LEVEL = 6
_BAD_LINES = 0.2  # share of lines that may be broken in JSON Lines


class JsonReader:
    """Reads JSON and JSON Lines; what is broken is read as plain text."""

    name = "json/1"

    def accepts(self, sample: Sample) -> bool:
        """Take known suffixes, and what begins as an object or an array does."""
        if sample.container or looks_binary(sample.head):
            return False
        suffix = PurePath(sample.name).suffix.lower()
        if suffix in SUFFIXES | LINE_SUFFIXES:
            return True
        return suffix not in _OTHER_SUFFIXES and bool(_JSON_HEAD.match(sample.head))

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document.

        Raises:
            ReadError: It is empty, binary, in an unknown encoding, or holds no value.
        """
        text, encoding = decode(data, source)
        builder = DocumentBuilder(source, "json", options)
        builder.note("encoding", encoding)
        lines = PurePath(source).suffix.lower() in LINE_SUFFIXES
        try:
            value = _records(text, builder) if lines else _load(text)
            write_value(value, builder)
        except (ValueError, RecursionError) as error:
            if isinstance(error, ReadError):
                raise
            builder = DocumentBuilder(source, "json", options)
            builder.note("encoding", encoding)
            builder.note("damaged", str(error))
            add_plain(builder, text)
            value = None
        return builder.build(title=title_of(value) or file_stem(source))


def title_of(value: Value) -> str | None:
    """Return what a value calls itself."""
    return _first(value, _TITLE_KEYS)


def write_value(value: Value, builder: DocumentBuilder, level: int = 1) -> None:
    """Add the blocks of a value, its sections headed from ``level`` on."""
    _Writer(builder).add(value, level, 0)


def _load(text: str) -> Value:
    try:
        return _parse(text)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
        # One value after another, without the array around them.
        return list(_sequence(text))


def _parse(text: str) -> Value:
    value: Value = json.loads(text, strict=False, parse_int=str, parse_float=str)
    return value


def _sequence(text: str) -> Iterator[Value]:
    decoder = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)
    at = 0
    while (at := _skip_space(text, at)) < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and (text[at].isspace() or text[at] in ",\x1e"):
        at += 1
    return at


def _records(text: str, builder: DocumentBuilder) -> Value:
    """Return the values of JSON Lines; broken lines are counted in the meta."""
    values: list[Value] = []
    broken = 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            values.append(_parse(line))
        except ValueError:
            broken += 1
    if broken > (len(values) + broken) * _BAD_LINES:
        # Pretty-printed values have line ends too.
        return list(_sequence(text))
    builder.note("broken_lines", str(broken) if broken else None)
    return values


class _Writer:
    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder

    def add(self, value: Value, level: int, depth: int) -> None:
        """Add a value's blocks; ``depth`` counts what it is nested in."""
        if depth > _MAX_DEPTH:
            self._builder.add(json.dumps(value, ensure_ascii=False))
        elif isinstance(value, dict):
            self._object(value, level, depth)
        elif isinstance(value, list):
            self._array(value, level, depth)
        else:
            self._builder.add(_scalar(value))

    def _object(self, value: dict[str, Value], level: int, depth: int) -> None:
        # Plain fields first: what stands below a section would seem to belong to it.
        inline = {name: _inline(part) for name, part in value.items()}
        self._builder.add("\n".join(_field(name, text) for name, text in inline.items() if text))
        for name, part in value.items():
            if inline[name] is None:
                self._section(name, part, level, depth)

    def _section(self, name: str, part: Value, level: int, depth: int) -> None:
        if level <= _MAX_LEVEL and only_text(name):
            self._builder.heading(name, level)
            self.add(part, level + 1, depth + 1)
        else:
            self._builder.add(_field(name, ""))
            self.add(part, level, depth + 1)

    def _array(self, values: list[Value], level: int, depth: int) -> None:
        if (table := _table(values)) is not None:
            self._builder.add(table, BlockKind.TABLE)
            return
        plain: list[str] = []
        for number, value in enumerate(values, start=1):
            inline = _inline(value)
            if inline is not None:
                plain.append(inline)
                continue
            self._list(plain)
            self._item(value, number, level, depth)
        self._list(plain)

    def _list(self, plain: list[str]) -> None:
        """Add scalars that stand in a row: as a list, or as paragraphs where they are long."""
        if any(len(text) > _SHORT_LIST or "\n" in text for text in plain):
            for text in plain:
                self._builder.add(text)
        else:
            items = "\n".join(f"- {text}" for text in plain if text)
            self._builder.add(items, BlockKind.LIST)
        plain.clear()

    def _item(self, value: Value, number: int, level: int, depth: int) -> None:
        if isinstance(value, dict) and all(_inline(part) is not None for part in value.values()):
            self._builder.add(_record(value))
        elif level > _MAX_LEVEL:
            self.add(value, level, depth + 1)
        else:
            title = _first(value, _ITEM_KEYS)
            self._builder.heading(title or f"#{number}", level)
            self.add(_rest(value, title), level + 1, depth + 1)


def _rest(value: Value, title: str | None) -> Value:
    """Return what is left of an item below its heading; a lone part needs no heading of its own."""
    if not isinstance(value, dict):
        return value
    if title is None:
        return next(iter(value.values())) if len(value) == 1 else value
    return {
        name: part
        for name, part in value.items()
        if part != title or name.lower() not in _ITEM_KEYS
    }


def _record(value: dict[str, Value]) -> str:
    """Return a record of plain fields as lines; a turn of a conversation as who said what."""
    texts = {name: _inline(part) or "" for name, part in value.items()}
    for who, what in (("role", "content"), ("from", "value")):
        if set(texts) == {who, what}:
            return f"{texts[who]}: {texts[what]}"
    return "\n".join(_field(name, text) for name, text in texts.items() if text)


def _field(name: str, text: str) -> str:
    return f"{collapse(name)}: {text}".rstrip()


def _scalar(value: Value) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _inline(value: Value) -> str | None:
    """Return a value as one text, or None for one that holds others and is not short."""
    if isinstance(value, dict):
        return None if value else ""
    if not isinstance(value, list):
        return _scalar(value)
    if any(isinstance(part, dict | list) for part in value):
        return None
    joined = ", ".join(filter(None, map(_scalar, value)))
    return joined if len(joined) <= _SHORT_LIST and "\n" not in joined else None


def _first(value: Value, keys: Sequence[str]) -> str | None:
    if not isinstance(value, dict):
        return None
    named = {name.lower(): part for name, part in value.items()}
    for key in keys:
        found = named.get(key)
        if isinstance(found, str) and only_text(found) and len(found) <= _MAX_NAME:
            return found
    return None


def _table(values: list[Value]) -> str | None:
    """Return regular records with short values as a Markdown table, or None."""
    names: dict[str, None] = {}
    rows: list[dict[str, str]] = []
    filled = 0
    for value in values:
        row = _row(value)
        if row is None:
            return None
        rows.append(row)
        names.update(dict.fromkeys(row))
        filled += len(row)
        if len(names) > _MAX_COLUMNS:
            return None
    if len(rows) < 2 or len(names) < 2 or filled * 2 < len(rows) * len(names):  # noqa: PLR2004
        return None
    lines = [table_row(names), table_row(["---"] * len(names))]
    lines.extend(table_row(row.get(name, "") for name in names) for row in rows)
    return "\n".join(lines)


def _row(value: Value) -> dict[str, str] | None:
    if not isinstance(value, dict) or not value:
        return None
    row: dict[str, str] = {}
    for name, part in value.items():
        text = _inline(part)
        if text is None or len(text) > _MAX_CELL or "\n" in text:
            return None
        row[name] = text
    if sum(map(len, row.values())) > _MAX_ROW or set(row) in (
        {"role", "content"},
        {"from", "value"},
    ):
        return None
    return row
