"""Deep nesting is taken out of HTML before a parser meets it."""

from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from wenqu.text.markup import shallow


@pytest.mark.parametrize("tag", ["div", "span", "b", "blockquote", "x-y"])
def test_deep_nesting_goes_and_its_text_stays(tag: str) -> None:
    html = f"<h1>A</h1>{f'<{tag} class=a>' * 100_000}deep{f'</{tag}>' * 100_000}<p>after</p>"
    flat = shallow(html)
    assert flat.count(f"<{tag}") == flat.count(f"</{tag}>") == 2000
    text = LexborHTMLParser(flat).text(separator=" ").split()
    assert text == ["A", "deep", "after"]


@pytest.mark.parametrize(
    "html",
    [
        "<ul>" + "<li>item" * 50_000 + "</ul>",
        "<table>" + "<tr><td>a<td>b" * 20_000 + "</table>",
        "<p>one<br>" * 20_000,
        "<div><p>x</p></div>" * 20_000,
        "a < b " * 10_000,
    ],
)
def test_long_pages_that_are_not_deep_stay_as_they_are(html: str) -> None:
    assert shallow(html) == html


def test_what_never_closes_a_tag_takes_no_time_to_speak_of() -> None:
    assert shallow("<a" * 300_000).count("<a") == 2000
