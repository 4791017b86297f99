"""What the builder puts together from blocks."""

from __future__ import annotations

import sys

from wenqu.readers import builder
from wenqu.text.normalize import normalize


def test_what_is_taken_as_it_is_is_what_normalizing_leaves_as_it_is() -> None:
    plain = [c for c in map(chr, range(sys.maxunicode + 1)) if builder._PLAIN.fullmatch(c)]
    assert {"a", "α", "≤", "’", "两", "，"} <= set(plain)
    text = "".join(f"a{c}" for c in plain) + " " + "\n".join(plain)
    assert builder._PLAIN.fullmatch(text)
    assert normalize(text) == text
