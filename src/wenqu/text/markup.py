"""Guards HTML before it is parsed: a parser's time grows with the square of the nesting."""

from __future__ import annotations

import re

__all__ = ["shallow"]

_MAX_DEPTH = 2000
"""Far deeper than pages are, and parsed at once; 20,000 take over a second, 100,000 minutes."""

_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*)[^<>]*>?")
# Elements without content, and those that their like or their parent's end closes unsaid: a page
# may leave thousands of them open and is not deep for it.
_NOT_NESTING = frozenset(
    [
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"),
        *("track", "wbr", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot"),
        *("option", "optgroup", "colgroup", "caption", "rt", "rp"),
    ]
)


def shallow(html: str) -> str:
    """Return ``html`` without the tags that lie deeper than 2,000; their text stays."""
    if html.count("<") <= _MAX_DEPTH:
        return html
    depth = 0

    def kept(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag[2].lower() in _NOT_NESTING:
            return tag[0]
        if tag[1]:
            deep = depth > _MAX_DEPTH
            depth = max(depth - 1, 0)
        else:
            depth += 1
            deep = depth > _MAX_DEPTH
        return " " if deep else tag[0]

    return _TAG.sub(kept, html)
