"""PDF files that tests write: texts at places, with whatever else a page or the file is to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wenqu.protocols import Reader
    from wenqu.types import Document

__all__ = ["BODY", "PAGE", "Drawn", "drawn", "pdf", "read_pdf"]

Drawn = tuple[float, float, float, str]
"""Left, distance from the top, size, text."""

BODY = "Words of a paragraph that goes on for long enough to fill the"
PAGE: list[Drawn] = [
    (72, 780, 9, "Foot drawn first"),
    (72, 72, 20, "A Title"),
    (72, 110, 11, BODY),
    (72, 124, 11, "whole line and is hyphen-"),
    (72, 138, 11, "ated, then it ends."),
    (72, 180, 14, "Section"),
    (72, 210, 11, "Other words that are no part of it."),
]


def drawn(page: Sequence[Drawn]) -> str:
    """Return the operators that draw texts in the font F."""
    return "".join(
        f"BT /F {size} Tf {left} {842 - top - size} Td ({text}) Tj ET\n"
        for left, top, size, text in page
    )


def pdf(  # noqa: PLR0913  # what a file may have
    pages: Sequence[Sequence[Drawn]],
    info: str = "",
    *,
    also: str = "",
    catalog: str = "",
    page_entries: str = "",
    objects: tuple[str, ...] = (),
    trailer: str = "",
    coded: str = "",
    cipher: Callable[[int, str], str] = lambda _, data: data,
) -> bytes:
    """Write a PDF whose pages draw texts in Helvetica.

    ``objects`` are numbers 4 and on; ``also`` is drawn on each page; the entries go to the
    dictionaries of the catalogue and of each page; ``coded`` is the filter of contents.
    """
    parts = [
        f"<</Type/Catalog/Pages 2 0 R{catalog}>>",
        "",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        *objects,
    ]
    kids = []
    for page in pages:
        stream = cipher(len(parts) + 1, drawn(page) + also)
        parts.append(f"<</Length {len(stream)}{coded}>>stream\n{stream}endstream")
        parts.append(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]"
            f"/Resources<</Font<</F 3 0 R>>/XObject<</Im 4 0 R>>>>{page_entries}"
            f"/Contents {len(parts)} 0 R>>"
        )
        kids.append(f"{len(parts)} 0 R")
    parts[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>"
    parts.append(f"<<{info}>>")
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(parts, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj{content}endobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    return (
        f"{body}xref\n0 {len(parts) + 1}\n0000000000 65535 f \n{table}"
        f"trailer<</Size {len(parts) + 1}/Root 1 0 R/Info {len(parts)} 0 R{trailer}>>\n"
        f"startxref\n{len(body)}\n%%EOF"
    ).encode("latin-1")


def read_pdf(
    reader: Reader,
    pages: Sequence[Sequence[Drawn]],
    page_entries: str = "",
    *,
    info: str = "",
    also: str = "",
) -> Document:
    """Have such a file read; for the arguments see ``pdf``."""
    return reader.read(pdf(pages, info, also=also, page_entries=page_entries), "x.pdf")
