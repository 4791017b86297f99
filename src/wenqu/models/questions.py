"""The mean vector of questions in each language, as an embedder gives them.

Part of what an embedder says of a question is that it is one, and in which language. A search that
takes some of that away finds the same in the question's language and much more in the other one
(docs/adr/0016-ranking.md). ``bench/questions.py`` made the vectors.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, get_args

import numpy as np

from wenqu.types import Language

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wenqu.protocols import Vectors

__all__ = ["typical_questions"]

_FILES = {"multilingual-e5-small": "e5_questions.f16"}
"""Embedder → its file: one row of little-endian float16 a language, in the order of the type."""


@cache
def typical_questions(fingerprint: str) -> Mapping[Language, Vectors]:
    """Return the mean vectors, shape (dimension,); none for an embedder that has no file.

    Args:
        fingerprint: The embedder's, which begins with its name.
    """
    name = _FILES.get(fingerprint.partition(":")[0])
    if name is None:
        return MappingProxyType({})
    rows = np.fromfile(Path(__file__).with_name(name), "<f2").reshape(len(get_args(Language)), -1)
    return MappingProxyType(dict(zip(get_args(Language), rows.astype(np.float32), strict=True)))
