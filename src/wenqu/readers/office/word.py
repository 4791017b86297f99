"""Word documents (DOCX and its kin): the package around the text, and what goes with it.

The body is read by ``word_body``, styles and numbering by ``word_styles``. Headers and footers are
given once, where they say something that the text does not; embedded files become sections.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers import choose
from wenqu.readers.attachments import Attachments
from wenqu.readers.builder import DocumentBuilder
from wenqu.readers.detect import sample as sample_of
from wenqu.readers.office.embedded import ole_payload
from wenqu.readers.office.package import Package, attribute, note_core_properties, tag
from wenqu.readers.office.prose import Paragraph, cell_text, margins, ready_parts, write
from wenqu.readers.office.word_body import Body, Surroundings
from wenqu.readers.office.word_styles import Numbering, Styles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lxml.etree import _Element as Element

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.readers.office.prose import Part
    from wenqu.types import Document

__all__ = ["WordReader"]

_NOTES = (("footnotes", "footnote"), ("endnotes", "endnote"), ("comments", "comment"))


class WordReader:
    """Reads Word documents since 2007, whole or with a damaged part that the text can do without.

    Args:
        readers: Returns the readers to choose from for files inside the document.
    """

    name = "word/2"

    def __init__(self, readers: Callable[[], Sequence[Reader]]) -> None:
        self._readers = readers

    def accepts(self, sample: Sample) -> bool:
        """Take a Word package, whatever it is called."""
        return sample.container == "docx"

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document with its notes, comments, boxes and embedded files.

        Raises:
            ReadError: It is damaged, empty, or longer than allowed.
        """
        return _Reading(data, source, options, self._readers).document()


class _Reading:
    """The reading of one file."""

    def __init__(
        self,
        data: bytes,
        source: str,
        options: ReadOptions,
        readers: Callable[[], Sequence[Reader]],
    ) -> None:
        self._options = options
        self._readers = readers
        self._package = Package(data, source)
        self._main = _main_part(self._package)
        self._relations = self._package.relations(self._main)
        self._builder = DocumentBuilder(source, "docx", options)
        self._around = Surroundings(
            package=self._package,
            styles=Styles(self._related("styles")),
            numbering=Numbering(self._related("numbering")),
            relations=self._relations,
            notes=dict(self._notes()),
            include=self._include,
        )

    def document(self) -> Document:
        root = self._package.xml(self._main)
        title = note_core_properties(self._package, self._builder)
        body = next((entry for entry in root if tag(entry) == "w:body"), root)
        parts = Body(self._around).parts(body)
        texts = [part.text for part in parts if isinstance(part, Paragraph)]
        tops, bottoms = list(self._margins("header")), list(self._margins("footer"))
        headers, footers = margins(tops, texts), margins(bottoms, [*texts, *tops])
        written = write(self._builder, [*headers, *parts, *footers])
        self._attachments()
        return self._builder.build(title=written or title)

    def _related(self, kind: str) -> Element | None:
        for relation in self._relations.values():
            if relation.kind == kind and not relation.external:
                return self._package.optional_xml(relation.target)
        return self._package.optional_xml(f"word/{kind}.xml")

    def _notes(self) -> Iterator[tuple[tuple[str, str], Element]]:
        for kind, name in _NOTES:
            root = self._related(kind)
            for note in root if root is not None else ():
                if tag(note) == f"w:{name}" and attribute(note, "type") in {None, "normal"}:
                    yield (name, attribute(note, "id") or ""), note

    def _margins(self, kind: str) -> Iterator[str]:
        for relation in self._relations.values():
            if relation.kind == kind and not relation.external:
                root = self._package.optional_xml(relation.target)
                around = replace(self._around, relations=self._package.relations(relation.target))
                yield cell_text(Body(around).parts(root)) if root is not None else ""

    def _include(self, part: str) -> list[Part]:
        """Return the parts of a file that stands in the text."""
        options = self._options
        try:
            data = self._package.read(part)
            reader = choose(self._readers(), sample_of(part, BytesIO(data)))
            if reader is None or options.nesting < 1:
                self._builder.leave_out(posixpath.basename(part))
                return []
            inner = replace(options, nesting=options.nesting - 1)
            return ready_parts(reader.read(data, part, inner))
        except ReadError as error:
            if error.key == "read.too_long":
                raise
            self._builder.leave_out(posixpath.basename(part))
            return []

    def _attachments(self) -> None:
        """Add the embedded files, but those that only hold the figures of a chart."""
        attachments = Attachments(self._readers)
        for part in sorted(self._package.names):
            folder, name = posixpath.split(part)
            if not folder.lower().endswith("embeddings") or not name:
                continue
            if self._is_chart_data(part):
                continue
            try:
                data = self._package.read(part)
            except ReadError:
                self._builder.leave_out(name)
                continue
            inner_name, inner = ole_payload(data, name)
            attachments.add(self._builder, inner_name, inner, self._options)

    def _is_chart_data(self, part: str) -> bool:
        charts = [
            name
            for name in self._package.names
            if name.lower().startswith("word/charts/chart") and name.endswith(".xml")
        ]
        return any(
            relation.target == part
            for chart in charts
            for relation in self._package.relations(chart).values()
        )


def _main_part(package: Package) -> str:
    for relation in package.relations().values():
        if relation.kind == "officeDocument" and relation.target in package:
            return relation.target
    documents = [name for name in package.names if name.lower().startswith("word/document")]
    return documents[0] if documents else "word/document.xml"
