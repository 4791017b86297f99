from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.testing.samples import chunks_of, document_of
from wenqu.types import Chunk, Span, Stage, Trace, chunk_id, document_id

ANY_TEXT = st.text(st.characters())


def test_ids_stay_what_they_are_for_ever() -> None:
    """Old citations and indexes hold them: another value is another id."""
    assert document_id("制度.md") == "c31d1592a089557e"
    assert chunk_id("c31d1592a089557e", 0, "内容") == "495d61135a23cb10"


@given(ANY_TEXT, st.integers(0, 10**9), ANY_TEXT)
def test_every_chunk_has_an_id_that_fits_a_signed_integer(
    source: str, start: int, text: str
) -> None:
    value = chunk_id(document_id(source), start, text)
    assert len(value) == 16
    assert 0 <= int(value, 16) < 2**63


def test_an_id_depends_on_document_place_and_text() -> None:
    ids = {
        chunk_id("a", 0, "text"),
        chunk_id("b", 0, "text"),
        chunk_id("a", 1, "text"),
        chunk_id("a", 0, "texts"),
    }
    assert len(ids) == 4
    assert chunk_id("a", 0, "text") in ids


def test_values_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Span(start=0, end=1).start = 2  # type: ignore[misc]


def test_the_page_of_a_chunk_is_the_one_it_begins_on() -> None:
    whole = {"id": "0" * 16, "document_id": "0" * 16, "text": "a", "start": 0, "end": 1}
    assert Chunk(**whole, pages=(3, 4)).page == 3  # type: ignore[arg-type]
    assert Chunk(**whole).page is None  # type: ignore[arg-type]


def test_a_chunk_is_an_exact_span_of_its_document() -> None:
    document = document_of("a", "第一段 😀", "Second")
    for chunk in chunks_of(document):
        assert document.text[chunk.start : chunk.end] == chunk.text


def test_timings_have_a_total() -> None:
    trace = Trace(stages=(Stage(name="a", ms=1.234), Stage(name="b", ms=2.0)))
    assert trace.timings_ms == {"a": 1.23, "b": 2.0, "total": 3.23}
