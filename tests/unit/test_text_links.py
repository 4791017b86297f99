"""An answer is shown without images, and without addresses that its evidence does not have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.links import LinkFilter

KNOWN = "See https://docs.example.org/leave and [the form](https://example.org/form)."


def passed(text: str, known: str = KNOWN, size: int = 1) -> str:
    links = LinkFilter([known])
    pieces = [links.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join(pieces) + links.finish()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ten days [1]. ![ok](https://evil.example/p.png?q=leave)", "Ten days [1]. ok"),
        ("到[点此](http://evil.example)继续。", "到点此继续。"),
        ("Go to https://evil.example/x. Then wait.", "Go to …. Then wait."),
        ("请看www.evil.example，谢谢。", "请看…，谢谢。"),
        ("<img src=https://evil.example/t.gif> Ten.", "‹img src=…> Ten."),
        ("<script>alert(1)</script>", "‹script>alert(1)‹/script>"),
        ("javascript:alert(1)", "…)"),
        ("![form](https://example.org/form)", "form (https://example.org/form)"),
    ],
)
def test_what_the_evidence_does_not_have_is_taken_out(text: str, shown: str) -> None:
    assert passed(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "See https://docs.example.org/leave [1].",
        "Use [the form](https://example.org/form) [1].",
        "Wow! [1] ok! 好！ a[i] = b[1]",
        "3 < 4 and x > y, ratio 3:4, data: 5",
        "Write `<img>` or\n```html\n<img src=a.png>\n```\n",
    ],
)
def test_anything_else_stays_as_it_is(text: str) -> None:
    assert passed(text) == text


def test_it_counts_what_it_took_out() -> None:
    links = LinkFilter([])
    assert links.feed("![a](http://b.example) http://c.example ") + links.finish() == "a … "
    assert links.removed == 2


@given(
    text=st.text(alphabet="a1 ![](<>)`\nhttp://w.x 好。imgsrc", max_size=60),
    size=st.integers(1, 20),
)
def test_the_text_is_the_same_however_the_stream_was_cut(text: str, size: int) -> None:
    assert passed(text, size=size) == passed(text, size=len(text) + 1)
