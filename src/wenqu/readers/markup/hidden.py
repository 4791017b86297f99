"""Which elements of a page are there to be read by machines only: hidden by their own style.

Text that no reader of the page sees is where orders to language models are put. Only what an
element says of itself counts: a style sheet hides whole parts of a page (tabs, folded questions)
that a click shows. ``aria-hidden`` text is seen, and is the usual home of rendered formulas.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from selectolax.lexbor import LexborNode

__all__ = ["drop_unseen"]

_LENGTH = re.compile(r"\A([+-]?\d*\.?\d+)\s*(px|pt|em|rem|%|vw|vh|ex|ch)?\Z")
# Sizes up to which nobody can read a letter, by unit: a page's letters have 16 px.
_SPECK = {"px": 1.0, "pt": 1.0, "em": 0.1, "rem": 0.1, "ex": 0.2, "ch": 0.2, "%": 10.0}
_FAR = -900.0  # pixels to the left of the page, or above it
_FAINT = 0.05
_SHORT = 1.0
_NO_CLIP = re.compile(r"rect\(\s*(?:[01](?:px)?[\s,]*){4}\)|inset\(\s*(?:50|100)%\s*\)|circle\(0")
_CLEAR = re.compile(
    r"\A(?:transparent|#[0-9a-f]{6}00|#[0-9a-f]{3}0|(?:rgba|hsla)\([^)]*[,/]\s*0(?:\.0+)?%?\s*\))\Z"
)
_RGB = re.compile(
    r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s*(?:[,/]\s*1(?:\.0+)?\s*)?\)"
)
_NAMED = {"white": "ffffff", "black": "000000", "snow": "fffafa", "ivory": "fffff0"}
_SHORT_HEX = 3
_MOST = 0.2  # of the page: what fades in by script holds more, and is meant to be read


def drop_unseen(body: LexborNode) -> None:
    """Remove the elements that their own style hides.

    Colours count against the nearest background that is said, or a white page where no style sheet
    may say another. What a script may show later (``opacity: 0``, moved off the page) goes only
    while it is a small part of the page.
    """
    plain = body.css_first("style") is None and not _has_sheet(body)
    gone: list[LexborNode] = []
    doubtful: list[LexborNode] = []
    for node in body.css("[style], font[color]"):
        style = _style(node)
        if _never_shown(style) or _same_colour(node, style, white=plain):
            gone.append(node)
        elif _not_yet_shown(style):
            doubtful.append(node)
    most = _MOST * len(body.text(deep=True) or "")
    if sum(len(node.text(deep=True) or "") for node in doubtful) <= most:
        gone += doubtful
    hidden = {node.mem_id for node in gone}
    for node in [one for one in gone if not _is_inside(one, hidden)]:
        node.decompose()


def _is_inside(node: LexborNode, hidden: Collection[int]) -> bool:
    above = node.parent
    while above is not None and above.mem_id not in hidden:
        above = above.parent
    return above is not None


def _has_sheet(body: LexborNode) -> bool:
    page = body.parent
    return page is not None and page.css_first("style, link[rel~=stylesheet]") is not None


def _style(node: LexborNode) -> Mapping[str, str]:
    declared = (node.attributes.get("style") or "").lower().replace("!important", "")
    pairs = (part.partition(":") for part in declared.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs if value.strip()}


def _never_shown(style: Mapping[str, str]) -> bool:
    if style.get("display") == "none" or style.get("visibility") in {"hidden", "collapse"}:
        return True
    number, unit = _length(style.get("font-size", ""))
    if number is not None and (number == 0 or (unit in _SPECK and number <= _SPECK[unit])):
        return True
    return _CLEAR.match(style.get("color", "")) is not None


def _not_yet_shown(style: Mapping[str, str]) -> bool:
    opacity, _ = _length(style.get("opacity", ""))
    if opacity is not None and opacity <= _FAINT:
        return True
    placed = style.get("position") in {"absolute", "fixed"}
    moved = [_length(style.get(name, ""))[0] for name in ("text-indent", "margin-left")]
    moved += [_length(style.get(name, ""))[0] for name in ("left", "top") if placed]
    if any(number is not None and number <= _FAR for number in moved):
        return True
    if _NO_CLIP.search(style.get("clip", "")) or _NO_CLIP.search(style.get("clip-path", "")):
        return True
    sides = [_length(style.get(name, ""))[0] for name in ("width", "height", "max-height")]
    shut = any(number is not None and number <= _SHORT for number in sides)
    return shut and style.get("overflow") == "hidden"


def _length(text: str) -> tuple[float | None, str]:
    match = _LENGTH.match(text)
    return (float(match[1]), match[2] or "px") if match else (None, "")


def _same_colour(node: LexborNode, style: Mapping[str, str], *, white: bool) -> bool:
    colour = _colour(style.get("color") or node.attributes.get("color") or "")
    if colour is None:
        return False
    behind = next(_backgrounds(node), "ffffff" if white else None)
    return colour == behind


def _backgrounds(node: LexborNode) -> Iterator[str | None]:
    """Yield what backgrounds an element stands on, the nearest first; None is one unknown."""
    at: LexborNode | None = node
    while at is not None:
        style = _style(at)
        said = (
            style.get("background-color") or style.get("background") or at.attributes.get("bgcolor")
        )
        if said and said not in {"transparent", "none", "inherit"}:
            yield _colour(said)
        at = at.parent


def _colour(text: str) -> str | None:
    """Return a colour as six hex digits, None where it is none or not a plain one."""
    text = text.strip().lower()
    text = _NAMED.get(text, text)
    if match := _RGB.fullmatch(text):
        return "".join(f"{min(255, int(part)):02x}" for part in match.groups())
    digits = text.removeprefix("#")
    if not re.fullmatch(r"[0-9a-f]{3}|[0-9a-f]{6}", digits):
        return None
    return "".join(digit * 2 for digit in digits) if len(digits) == _SHORT_HEX else digits
