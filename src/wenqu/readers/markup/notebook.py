"""Jupyter notebooks: prose as the Markdown it is, code as code, and what it printed where short."""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder
from wenqu.readers.encoding import decode, looks_binary
from wenqu.readers.markup.html import walk_fragment
from wenqu.readers.markup.markdown import write_markdown
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["SUFFIXES", "NotebookReader"]

SUFFIXES = frozenset({".ipynb"})

_HEAD = re.compile(rb'\A(?:\xef\xbb\xbf)?\s*\{\s*"(?:cells|nbformat|worksheets)"\s*:')
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_MAX_OUTPUT = 1500  # characters; a longer one is a log or a dump of data
_MAX_LINES = 30
# What a notebook prints instead of the picture that a reader would see.
_OBJECT = re.compile(r"\A<[\w.]+(?: [^<>\n]*)?>\Z")


class NotebookReader:
    """Reads notebooks of format 3 and 4."""

    name = "notebook/1"

    def accepts(self, sample: Sample) -> bool:
        """Take the suffix, and JSON that begins as a notebook does."""
        if sample.container or looks_binary(sample.head):
            return False
        known = PurePath(sample.name).suffix.lower() in SUFFIXES
        return known or (bool(_HEAD.match(sample.head)) and b'"cell_type"' in sample.head)

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document; pictures among the outputs are left out.

        Raises:
            ReadError: It is empty, binary, in an unknown encoding, or no notebook.
        """
        text, encoding = decode(data, source)
        try:
            notebook = json.loads(text, strict=False)
        except (ValueError, RecursionError) as error:
            raise ReadError("read.damaged", source=source, reason=str(error)) from error
        builder = DocumentBuilder(source, "notebook", options)
        builder.note("encoding", encoding)
        meta = _dict(_dict(notebook).get("metadata"))
        builder.note("code_language", _language(meta))
        for cell in _cells(_dict(notebook)):
            _add(cell, builder)
        title = meta.get("title")
        return builder.build(title=title if isinstance(title, str) else None)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    """Return a multi-line text, which a notebook may hold as a list of lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _language(meta: dict[str, Any]) -> str | None:
    for part in (meta.get("language_info"), meta.get("kernelspec")):
        name = _dict(part).get("language") or _dict(part).get("name")
        if isinstance(name, str):
            return name
    return None


def _cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from map(_dict, _list(notebook.get("cells")))
    for sheet in _list(notebook.get("worksheets")):
        yield from map(_dict, _list(_dict(sheet).get("cells")))


def _add(cell: dict[str, Any], builder: DocumentBuilder) -> None:
    source = _text(cell.get("source") or cell.get("input"))
    kind = cell.get("cell_type")
    if kind == "markdown":
        write_markdown(source, builder)
    elif kind == "heading":  # format 3
        level = cell.get("level")
        builder.heading(source, level if isinstance(level, int) else 1)
    elif kind == "code":
        builder.add(source, BlockKind.CODE)
        for output in _list(cell.get("outputs")):
            _output(_dict(output), builder)
    else:
        builder.add(source)


def _output(output: dict[str, Any], builder: DocumentBuilder) -> None:
    if output.get("output_type") in {"error", "pyerr"}:
        builder.add(f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}")
        return
    # Format 3 keeps the kinds of an output beside its type, format 4 below "data".
    data = _dict(output.get("data")) or output
    page = _text(data.get("text/html") or data.get("html"))
    if "<table" in page:
        walk_fragment(page, builder)
        return
    if marked := _text(data.get("text/markdown")):
        write_markdown(marked, builder)
        return
    printed = _text(output.get("text") or data.get("text/plain"))
    printed = _COLOUR.sub("", printed).strip("\n")
    short = len(printed) <= _MAX_OUTPUT and printed.count("\n") < _MAX_LINES
    if short and not _OBJECT.match(printed.strip()):
        builder.add(printed, BlockKind.CODE)
