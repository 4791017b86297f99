"""Office Open XML packages whose damage costs no more than the part that it is in.

Elements are named without their namespace, since the same parts come in two (ECMA-376's and the
strict ones of ISO/IEC 29500).
"""

from __future__ import annotations

import contextlib
import re
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Literal

from wenqu.errors import ReadError
from wenqu.readers.archive import parse_xml
from wenqu.readers.office.package import Package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lxml.etree import _Element

    from wenqu.readers.builder import DocumentBuilder
    from wenqu.types import Document

__all__ = ["UNZIP_ERRORS", "SalvagedPackage", "local", "pieces"]

UNZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError)
"""What reading a member of a damaged archive raises; NotImplementedError is a RuntimeError."""


class SalvagedPackage(Package):
    """A package that gives what can be had of each part and keeps in mind which were ``lost``."""

    def __init__(self, data: bytes, source: str) -> None:
        super().__init__(data, source)
        self.lost: list[str] = []

    def parts(self, folder: str) -> list[str]:
        """Return the parts in a folder and below, numbers in their order."""
        found = [name for name in self.names if name.lower().startswith(folder)]
        return sorted(found, key=lambda name: [_rank(bit) for bit in re.split(r"(\d+)", name)])

    def salvage(self, part: str) -> _Element | None:
        """Return the root of a part, as far as it is well-formed; None where nothing is."""
        if (data := self.bytes_of(part)) is None:
            return None
        for recover in (False, True):
            with contextlib.suppress(ReadError):
                return parse_xml(data, self._source, part, recover=recover)
            self.lose(part)
        return None

    def bytes_of(self, part: str) -> bytes | None:
        """Return a part's bytes; None where it is missing or damaged."""
        if part not in self:
            return None
        try:
            return self.read(part)
        except ReadError:
            self.lose(part)
            return None

    def stream(self, part: str) -> IO[bytes] | None:
        """Return a part to be read piece by piece, which may raise ``UNZIP_ERRORS``."""
        name = next((name for name in self.names if name.lower() == part.lower()), None)
        if name is None:
            return None
        try:
            return self._archive.open(self._members[name.casefold().lstrip("/")])
        except (*UNZIP_ERRORS, KeyError):
            self.lose(part)
            return None

    def related(self, part: str, *kinds: str) -> Iterator[str]:
        """Yield the parts that ``part`` refers to as one of ``kinds``, the type's last word."""
        for relation in self.relations(part).values():
            if relation.kind in kinds and not relation.external and relation.target in self:
                yield relation.target

    def main(self, default: str) -> str:
        """Return the part that the package opens with."""
        return next(self.related("", "officeDocument"), default)

    def lose(self, part: str) -> None:
        """Keep in mind that a part could not be read, or not to its end."""
        if part not in self.lost:
            self.lost.append(part)

    def build(self, builder: DocumentBuilder, source: str, title: str | None = None) -> Document:
        """Return the document, with a word on what was lost.

        Args:
            builder: Holds the text.
            source: Named by errors.
            title: What to call it, if that is known.

        Raises:
            ReadError: There is no text, or none is left.
        """
        for part in self.lost:
            builder.leave_out(part)
        try:
            return builder.build(title=title)
        except ReadError as error:
            if error.key == "read.empty" and self.lost:
                reason = f"{self.lost[0]} cannot be read"
                raise ReadError("read.damaged", source=source, reason=reason) from error
            raise


def pieces(
    stream: IO[bytes], names: Iterable[str], lost: Callable[[], None], *, begins: bool = False
) -> Iterator[tuple[_Element, bool]]:
    """Yield elements as they are read, and whether they end here; then forget what was in them.

    Args:
        stream: XML, read piece by piece.
        names: Names of elements, without a namespace.
        lost: Called where the XML is damaged, which ends it.
        begins: Whether elements are yielded also where they begin.
    """
    from lxml import etree

    events: list[Literal["start", "end"]] = ["start", "end"] if begins else ["end"]
    found = etree.iterparse(
        stream, events=events, tag=[f"{{*}}{name}" for name in names],
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        for event, element in found:
            yield element, event == "end"
            if event == "end":
                element.clear()
                _drop_before(element)
    except (etree.XMLSyntaxError, *UNZIP_ERRORS):
        lost()


def _drop_before(element: _Element) -> None:
    parent = element.getparent()
    while parent is not None and (before := element.getprevious()) is not None:
        parent.remove(before)


def local(element: _Element) -> str:
    """Return an element's name without its namespace; "" for what is no element."""
    name = element.tag
    return name.rpartition("}")[2] if isinstance(name, str) else ""


def _rank(bit: str) -> tuple[int, str]:
    return (int(bit), "") if bit.isdecimal() else (-1, bit)
