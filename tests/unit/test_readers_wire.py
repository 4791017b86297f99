"""What the worker process sends comes out as it went in."""

from __future__ import annotations

import pytest

from wenqu.errors import ReadError
from wenqu.readers.builder import DocumentBuilder
from wenqu.readers.wire import reply_bytes, reply_of
from wenqu.types import BlockKind, Box


def test_a_document_is_the_same_on_the_other_side() -> None:
    builder = DocumentBuilder("手册.pdf", "pdf")
    builder.heading("第一章", 1, page=1, box=Box(left=1.25, top=2, right=3, bottom=4))
    builder.add("正文 \ud83d", page=1)
    builder.heading("1.1", 2)
    builder.add(
        "| a |\n| --- |", BlockKind.TABLE, page=2, box=Box(left=0, top=0, right=9, bottom=9)
    )
    document = builder.build()
    assert reply_of(reply_bytes(document)) == document


def test_a_reply_that_is_none_is_an_error() -> None:
    for told in (b"[[]]", b'{"document": {"blocks": []}}', b'{"document": {"blocks": {}}}'):
        with pytest.raises((ValueError, KeyError, TypeError)):
            reply_of(told)


def test_an_error_keeps_its_values() -> None:
    error = reply_of(reply_bytes(ReadError("read.too_long", source="a.txt", limit=5)))
    assert isinstance(error, ReadError)
    assert (error.key, error.values["limit"]) == ("read.too_long", 5)
