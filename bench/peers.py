"""Other readers behind one interface: a JSON request a line in, a JSON reply a line out.

    PYTHON bench/peers.py markitdown|unstructured

Runs in the peer's own interpreter, so it imports nothing of wenqu. Each peer is used as its guide
shows, with what it chooses when nothing is said; its tables are written as Markdown where it keeps
them as HTML, so that they can be compared.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Extract = Callable[[str, str | None], str]


class _Rows(HTMLParser):
    """Turns the rows of an HTML table into Markdown rows."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a row or a cell."""
        del attrs
        if tag == "tr":
            self._cells = []
        elif tag in {"td", "th"}:
            self._cells.append("")

    def handle_endtag(self, tag: str) -> None:
        """End a row."""
        if tag == "tr":
            self.lines.append("| " + " | ".join(self._cells) + " |")

    def handle_data(self, data: str) -> None:
        """Add to the cell."""
        if self._cells:
            self._cells[-1] += data


def _markitdown() -> tuple[str, Extract]:
    module: Any = importlib.import_module("markitdown")
    converter = module.MarkItDown()

    def extract(path: str, password: str | None) -> str:
        del password  # it takes none
        result = converter.convert(path)
        return "\n".join(filter(None, (result.title, result.text_content)))

    return _version("markitdown"), extract


def _unstructured() -> tuple[str, Extract]:
    module: Any = importlib.import_module("unstructured.partition.auto")
    spacy: Any = importlib.import_module("spacy")
    if not spacy.util.is_package("en_core_web_sm"):
        # It would fetch this model, which names its elements' kinds; the text is the same without.
        blank = spacy.blank("en")
        blank.add_pipe("sentencizer")
        spacy.load = lambda *_, **__: blank

    def extract(path: str, password: str | None) -> str:
        more = {"password": password} if password else {}
        if path.endswith(".pdf"):
            # Its other strategies want a model from the network, Poppler and Tesseract.
            more["strategy"] = "fast"
        parts: list[str] = []
        for element in module.partition(filename=path, **more):
            table = element.metadata.text_as_html
            if table:
                rows = _Rows()
                rows.feed(table)
                parts.extend(rows.lines)
            else:
                parts.append(element.text)
            if element.metadata.subject:
                parts.append(element.metadata.subject)
        return "\n".join(parts)

    return _version("unstructured"), extract


def _version(package: str) -> str:
    from importlib.metadata import version

    return f"{package} {version(package)}"


PEERS = {"markitdown": _markitdown, "unstructured": _unstructured}


def main() -> None:
    """Serve requests until the input ends; whatever a peer prints goes to the error stream."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    version, extract = PEERS[sys.argv[1]]()
    print(json.dumps({"version": version}), file=replies, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"text": extract(request["path"], request["password"])}
        except Exception as error:  # noqa: BLE001  # any error of a peer is its answer
            reply = {"error": type(error).__name__, "message": str(error)[:300]}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
