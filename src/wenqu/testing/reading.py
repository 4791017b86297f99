"""What a reader made of a file, in the short forms that tests compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wenqu.types import Block, BlockKind, Document

__all__ = ["blocks", "outlined", "paths", "text_of", "texts"]


def text_of(document: Document, block: Block) -> str:
    """Return the text of a block."""
    return document.text[block.span.start : block.span.end]


def texts(document: Document, kind: BlockKind | None = None) -> list[str]:
    """Return the texts of all blocks, or of those of one kind."""
    return [text for each, text in blocks(document) if kind is None or each is kind]


def blocks(document: Document) -> list[tuple[BlockKind, str]]:
    """Return kind and text of each block."""
    return [(block.kind, text_of(document, block)) for block in document.blocks]


def outlined(document: Document) -> list[tuple[BlockKind, str, tuple[str, ...]]]:
    """Return kind and text of each block, and the headings above it."""
    return [(block.kind, text_of(document, block), block.heading) for block in document.blocks]


def paths(document: Document) -> dict[str, tuple[str, ...]]:
    """Return the headings above each block, by its text."""
    return {text_of(document, block): block.heading for block in document.blocks}
