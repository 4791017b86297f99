"""Closed sets of names, and bounds, that options of the command line are made from.

A module of its own because help needs these and none of the values that they are parts of.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "MAX_CHUNK_OVERLAP",
    "MAX_CHUNK_TOKENS",
    "MIN_CHUNK_TOKENS",
    "Backend",
    "ChunkStrategy",
]

MIN_CHUNK_TOKENS = 32


MAX_CHUNK_TOKENS = 500
"""What the embedder reads, less what tells it where the text is from."""


MAX_CHUNK_OVERLAP = 250


class ChunkStrategy(StrEnum):
    """How a document is cut into chunks; ``text.chunk`` says what each one does."""

    AUTO = "auto"
    HEADING = "heading"
    SENTENCE = "sentence"
    RECURSIVE = "recursive"
    CHARACTER = "character"
    TABLE = "table"


class Backend(StrEnum):
    """What serves a model."""

    LLAMACPP = "llamacpp"
    TRANSFORMERS = "transformers"
    VLLM = "vllm"
    OLLAMA = "ollama"
