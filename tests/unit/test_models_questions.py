"""The mean vectors of questions that come with an embedder."""

from __future__ import annotations

import numpy as np
import pytest

from wenqu.models.catalog import find
from wenqu.models.questions import typical_questions


def test_the_embedder_of_the_catalog_has_one_vector_a_language() -> None:
    entry = find("multilingual-e5-small")
    typical = typical_questions(f"{entry.name}:{entry.sha256[:12]}:1")
    assert set(typical) == {"zh", "en"}
    for vector in typical.values():
        assert vector.shape == (384,)
        assert vector.dtype == np.float32
        # Questions are near one another, so their mean is nearly as long as each of them.
        assert np.linalg.norm(vector) == pytest.approx(0.9, abs=0.05)


def test_other_embedders_have_none() -> None:
    assert typical_questions("fake:1") == {}
    assert typical_questions("multilingual-e5-small-tuned:1") == {}
