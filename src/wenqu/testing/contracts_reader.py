"""What every reader keeps to. Subclass ``ReaderContract`` in a test module and fill in the samples.

class TestMyReader(ReaderContract):
    def reader(self): return MyReader()
    def samples(self): return {"a.txt": b"..."}
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS, Sample
from wenqu.types import BlockKind, document_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wenqu.protocols import Reader, ReadOptions
    from wenqu.types import Document

__all__ = ["ReaderContract"]


class ReaderContract:
    """Contract suite of ``protocols.Reader``."""

    def reader(self) -> Reader:
        """Return the reader under test."""
        raise NotImplementedError

    def samples(self) -> Mapping[str, bytes]:
        """Return files that the reader reads: name → content. Chinese and English, at least two."""
        raise NotImplementedError

    def options(self) -> ReadOptions:
        """Return how the samples are to be read."""
        return DEFAULT_OPTIONS

    def container(self, name: str) -> str:
        """Return what a sample holds where it is a ZIP or OLE file; see ``protocols.Sample``."""
        del name
        return ""

    def _sample(self, name: str, data: bytes) -> Sample:
        return Sample(name=name, head=data[:4096], container=self.container(name))

    def documents(self) -> list[tuple[str, Document]]:
        """Return each sample's name and document."""
        return [
            (name, self.reader().read(data, name, self.options()))
            for name, data in self.samples().items()
        ]

    def test_its_name_says_its_version(self) -> None:
        """A document is read again when the name changes, so the name carries a version."""
        family, _, version = self.reader().name.partition("/")
        assert family
        assert version

    def test_it_accepts_its_own_samples(self) -> None:
        """The head of a file is enough to take it."""
        for name, data in self.samples().items():
            assert self.reader().accepts(self._sample(name, data)), name

    def test_it_takes_no_binary_data_for_text(self) -> None:
        """Neither by a wrong suffix nor by luck."""
        binary = b"PK\x03\x04" + bytes(range(256)) * 8
        for name in self.samples():
            assert not self.reader().accepts(Sample(name=name, head=binary[:4096]))

    def test_spans_are_within_the_text_in_order_and_do_not_overlap(self) -> None:
        """Half-open code points, no empty block, each block without outer white lines."""
        for name, document in self.documents():
            end = 0
            assert document.blocks, name
            for block in document.blocks:
                assert end <= block.span.start < block.span.end <= len(document.text), name
                text = document.text[block.span.start : block.span.end]
                assert text.strip("\n") == text, name
                end = block.span.end

    def test_between_blocks_there_is_only_white_space(self) -> None:
        """Every character that says something is in a block."""
        for name, document in self.documents():
            at = 0
            for block in document.blocks:
                assert not document.text[at : block.span.start].strip(), name
                at = block.span.end
            assert not document.text[at:].strip(), name

    def test_heading_paths_name_headings_that_came_before(self) -> None:
        """And a heading's own text is not in its path."""
        for name, document in self.documents():
            seen: set[str] = set()
            for block in document.blocks:
                assert seen.issuperset(block.heading), name
                if block.kind is BlockKind.HEADING:
                    seen.add(document.text[block.span.start : block.span.end])

    def test_a_document_knows_where_it_comes_from(self) -> None:
        """Id and source are the caller's; there is always a title and a format."""
        for name, document in self.documents():
            assert document.source == name
            assert document.id == document_id(name)
            assert document.title.strip()
            assert document.meta["format"]

    def test_reading_twice_gives_the_same_document(self) -> None:
        """Nothing is kept from one file to the next."""
        reader, options = self.reader(), self.options()
        for name, data in self.samples().items():
            assert reader.read(data, name, options) == reader.read(data, name, options)

    def test_a_document_can_leave_its_process(self) -> None:
        """Readers run in a worker process."""
        for _, document in self.documents():
            copy = pickle.loads(pickle.dumps(document))  # noqa: S301  # our own bytes
            assert copy == document

    def test_a_file_without_text_is_an_error_that_says_so(self) -> None:
        """Never an empty document."""
        for name in self.samples():
            with pytest.raises(ReadError):
                self.reader().read(b"", name)
