"""Formulas of Office documents (OMML) as TeX, as people and language models write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.readers.office.package import attribute, tag

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

__all__ = ["tex"]

_MAX_DEPTH = 40
_SCRIPTS = {"m:sSup": "{e}^{{{sup}}}", "m:sSub": "{e}_{{{sub}}}",
            "m:sSubSup": "{e}_{{{sub}}}^{{{sup}}}", "m:sPre": "{{}}_{{{sub}}}^{{{sup}}}{e}",
            "m:limLow": "{e}_{{{lim}}}", "m:limUpp": "{e}^{{{lim}}}",
            "m:func": "{fName} {e}", "m:bar": "\\overline{{{e}}}",
            "m:box": "{e}", "m:borderBox": "\\boxed{{{e}}}"}  # fmt: skip
_OPERATORS = {"∑": "\\sum", "∏": "\\prod", "∫": "\\int", "∬": "\\iint", "∭": "\\iiint",
              "∮": "\\oint", "⋃": "\\bigcup", "⋂": "\\bigcap", "⋁": "\\bigvee",
              "⋀": "\\bigwedge", "∐": "\\coprod"}  # fmt: skip
_ACCENTS = {"\u0302": "\\hat", "\u0303": "\\tilde", "\u0304": "\\bar", "\u0305": "\\bar",
            "\u20d7": "\\vec", "\u0307": "\\dot", "\u0308": "\\ddot"}  # fmt: skip


def tex(formula: Element) -> str:
    """Return a formula, ``m:oMath``, as TeX without delimiters; signs stay as Unicode."""
    return _written(formula, 0)


def _written(node: Element, depth: int) -> str:
    if depth > _MAX_DEPTH:
        return "".join(node.itertext())
    return "".join(_piece(entry, depth + 1) for entry in node)


def _piece(node: Element, depth: int) -> str:
    name = tag(node)
    if name in {"m:t", "w:t"}:
        return node.text or ""
    if name.endswith("Pr"):
        return ""
    build = _BUILDERS.get(name)
    if build is not None:
        return build(node, depth)
    if name in _SCRIPTS:
        fields = {"e": "", "sub": "", "sup": "", "lim": "", "fName": ""}
        return _SCRIPTS[name].format(**fields | _parts(node, depth))
    return _written(node, depth)


def _parts(node: Element, depth: int) -> dict[str, str]:
    return {
        tag(entry).removeprefix("m:"): _written(entry, depth + 1)
        for entry in node
        if not tag(entry).endswith("Pr")
    }


def _property(node: Element, name: str, otherwise: str) -> str:
    for entry in node:
        if tag(entry).endswith("Pr"):
            for switch in entry:
                if tag(switch) == f"m:{name}":
                    return attribute(switch, "val") or ""
    return otherwise


def _fraction(node: Element, depth: int) -> str:
    parts = _parts(node, depth)
    above, below = parts.get("num", ""), parts.get("den", "")
    form = _property(node, "type", "bar")
    if form == "lin":
        return f"{above}/{below}"
    return f"\\{'binom' if form == 'noBar' else 'frac'}{{{above}}}{{{below}}}"


def _root(node: Element, depth: int) -> str:
    parts = _parts(node, depth)
    degree = parts.get("deg", "")
    return (
        f"\\sqrt[{degree}]{{{parts.get('e', '')}}}" if degree else f"\\sqrt{{{parts.get('e', '')}}}"
    )


def _operator(node: Element, depth: int) -> str:
    parts = _parts(node, depth)
    sign = _property(node, "chr", "∫")
    limits = "".join(
        f"{mark}{{{parts[name]}}}" for mark, name in (("_", "sub"), ("^", "sup")) if parts.get(name)
    )
    return f"{_OPERATORS.get(sign, sign)}{limits} {parts.get('e', '')}"


def _delimited(node: Element, depth: int) -> str:
    begin, end = _property(node, "begChr", "("), _property(node, "endChr", ")")
    inner = [_written(entry, depth + 1) for entry in node
             if tag(entry) == "m:e"]  # fmt: skip
    return f"{begin}{_property(node, 'sepChr', '|').join(inner)}{end}"


def _accented(node: Element, depth: int) -> str:
    sign = _property(node, "chr", "\u0302")
    inner = _parts(node, depth).get("e", "")
    return f"{_ACCENTS[sign]}{{{inner}}}" if sign in _ACCENTS else f"{inner}{sign}"


def _rows(node: Element, depth: int) -> str:
    rows = []
    for row in node:
        name = tag(row)
        if name == "m:e":
            rows.append(_written(row, depth + 1))
        elif name == "m:mr":
            rows.append(" & ".join(_written(cell, depth + 2) for cell in row))
    if len(rows) == 1:
        return rows[0]
    return "\\begin{matrix}" + " \\\\ ".join(rows) + "\\end{matrix}"


_BUILDERS = {
    "m:f": _fraction,
    "m:rad": _root,
    "m:nary": _operator,
    "m:d": _delimited,
    "m:acc": _accented,
    "m:m": _rows,
    "m:eqArr": _rows,
}
