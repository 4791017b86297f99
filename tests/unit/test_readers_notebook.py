"""Notebooks as they read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import Sample
from wenqu.readers.markup.notebook import NotebookReader
from wenqu.testing.contracts_reader import ReaderContract

if TYPE_CHECKING:
    from wenqu.types import Document

PICTURE = {"data": {"image/png": "iVBORw0KGgo", "text/plain": ["<Figure size 640x480>"]}}


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source.splitlines(keepends=True), "outputs": outputs}


def notebook(*cells: dict[str, Any]) -> bytes:
    meta = {"language_info": {"name": "python"}}
    return json.dumps(
        {"cells": cells, "metadata": meta, "nbformat": 4}, ensure_ascii=False
    ).encode()


SAMPLE = notebook(
    {"cell_type": "markdown", "source": ["# 检索\n", "\n", "一些**文字**。"]},
    code("x = 1\n\nprint(x)", {"output_type": "stream", "text": ["1\n"]}),
)


class TestNotebookReader(ReaderContract):
    def reader(self) -> NotebookReader:
        return NotebookReader()

    def samples(self) -> dict[str, bytes]:
        return {"检索.ipynb": SAMPLE, "x.ipynb": notebook(code("import this"))}


def read(*cells: dict[str, Any]) -> Document:
    return NotebookReader().read(notebook(*cells), "x.ipynb")


def test_prose_is_markdown_and_code_is_code_with_what_it_printed() -> None:
    document = NotebookReader().read(SAMPLE, "x.ipynb")
    assert document.title == "检索"
    assert document.meta["code_language"] == "python"
    assert document.text == ("检索\n\n一些文字。\n\n```\nx = 1\n\nprint(x)\n```\n\n```\n1\n```")
    assert document.blocks[2].heading == ("检索",)


def test_pictures_and_long_logs_are_left_out() -> None:
    log = {"output_type": "stream", "text": "step\n" * 500}
    assert read(code("plot()", PICTURE, log)).text == "```\nplot()\n```"


def test_a_table_is_a_table_and_an_error_says_what_it_was() -> None:
    frame = {"data": {"text/html": "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td>"}}
    failed = {
        "output_type": "error",
        "ename": "KeyError",
        "evalue": "'x'",
        "traceback": ["\x1b[31m"],
    }
    assert read(code("df", frame, failed)).text == (
        "```\ndf\n```\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\nKeyError: 'x'"
    )


def test_a_notebook_of_format_3_is_read_too() -> None:
    old = {
        "nbformat": 3,
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "heading", "level": 2, "source": "Old"},
                    {"cell_type": "code", "input": "1 + 1", "outputs": [{"text": "2"}]},
                ]
            }
        ],
    }
    document = NotebookReader().read(json.dumps(old).encode(), "x.ipynb")
    assert document.text == "Old\n\n```\n1 + 1\n```\n\n```\n2\n```"


@pytest.mark.parametrize("data", [b'{"cells": [', b"[" * 100_000])
def test_a_broken_notebook_is_damaged(data: bytes) -> None:
    with pytest.raises(ReadError) as caught:
        NotebookReader().read(data, "x.ipynb")
    assert caught.value.key == "read.damaged"


@pytest.mark.parametrize("data", [b"[]", b'{"cells": 3}', b'{"cells": [1, {"source": 5}]}'])
def test_json_of_another_shape_holds_no_text(data: bytes) -> None:
    with pytest.raises(ReadError) as caught:
        NotebookReader().read(data, "x.ipynb")
    assert caught.value.key == "read.empty"


def test_a_notebook_is_known_by_its_content_too() -> None:
    assert NotebookReader().accepts(Sample(name="x.json", head=SAMPLE[:400]))
    assert not NotebookReader().accepts(Sample(name="x.json", head=b'{"cells": [1, 2]}'))
