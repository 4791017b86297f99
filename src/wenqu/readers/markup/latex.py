"""LaTeX: the prose of a source file by its sections, with tables, lists, code and formulas."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder, join_lines, only_text, table_row
from wenqu.readers.encoding import decode, looks_binary
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from wenqu.protocols import ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["SUFFIXES", "LatexReader"]

SUFFIXES = frozenset({".tex", ".ltx", ".latex"})

_HEAD = re.compile(rb"\A\s*(?:%[^\n]*\n\s*)*\\(?:documentclass|documentstyle|begin\{document\})")
_LEVELS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4,
           "paragraph": 5, "subparagraph": 6}  # fmt: skip
# Braces three deep, and no longer than an argument is: one that is not closed costs no time.
_ARGUMENT = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]{0,500}\}){0,1000}\}){0,3000})\}"
_COMMENT = re.compile(r"(?<!\\)%.*")
_SECTION = re.compile(rf"\\({'|'.join(_LEVELS)})\*?\s*(?:\[[^\]]*\])?\s*{_ARGUMENT}")
_BEGIN = re.compile(r"\\begin\{(\w+\*?)\}(?:\s*\[[^\]]*\])?")
_META = {
    key: re.compile(rf"\\{key}\s*(?:\[[^\]]*\])?\s*{_ARGUMENT}")
    for key in ("title", "author", "date")
}
_BODY = re.compile(r"\\begin\{document\}")
_CODE = frozenset({"verbatim", "lstlisting", "minted", "Verbatim", "alltt"})
_LISTS = frozenset({"itemize", "enumerate", "description"})
_TABLES = frozenset({"tabular", "tabularx", "longtable", "tabulary", "array"})
_FORMULAS = frozenset(
    {"equation", "align", "gather", "displaymath", "eqnarray", "multline", "math"}
)
_PICTURES = frozenset({"tikzpicture", "thebibliography", "filecontents", "comment"})
# Commands whose argument is for the typesetter, not for the reader.
_SILENT = re.compile(
    r"\\(?:label|vspace|hspace|input|include|includegraphics|bibliography|bibliographystyle|pagestyle|"
    r"thispagestyle|usepackage|documentclass|setlength|setcounter|newcommand|renewcommand|index|"
    rf"graphicspath|maketitle|tableofcontents|centering|cline|phantomsection)\*?\b"
    rf"(?:\s*\[[^\]]*\])*(?:\s*{_ARGUMENT})*"
)
_REFERENCE = re.compile(
    rf"~?\\(?:ref|eqref|cite[a-z]*|pageref|autoref|cref)\*?(?:\s*\[[^\]]*\])*\s*{_ARGUMENT}"
)
_HREF = re.compile(rf"\\href\s*{_ARGUMENT}\s*{_ARGUMENT}")
_KEPT = re.compile(rf"\\[A-Za-z]+\*?(?:\s*\[[^\]]*\])?\s*{_ARGUMENT}")
_COMMAND = re.compile(r"\\(?:[A-Za-z]+\*?[ \t]*|[^A-Za-z\s&%#_{}$])")
_MATHS = re.compile(r"\$\$.*?\$\$|\$[^$\n]*(?:\n[^$\n]+)*\$|\\\[.*?\\\]|\\\(.*?\\\)", re.DOTALL)
_HELD = re.compile("\ue000(\\d+)\ue001")
_SIGNS = (("---", "—"), ("--", "–"), ("``", "“"), ("''", "”"), ("~", " "), ("\\\\", "\n"))
_ESCAPED = re.compile(r"\\([&%#_{}$])")
_MAX_ROUNDS = 8  # commands inside commands


class LatexReader:
    """Reads LaTeX sources."""

    name = "latex/1"

    def accepts(self, sample: Sample) -> bool:
        """Take known suffixes, and what begins with a document class."""
        if sample.container or looks_binary(sample.head):
            return False
        known = PurePath(sample.name).suffix.lower() in SUFFIXES
        return known or bool(_HEAD.match(sample.head))

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document; formulas stay as they are written.

        Raises:
            ReadError: It is empty, binary, or in an unknown encoding.
        """
        text, encoding = decode(data, source)
        builder = DocumentBuilder(source, "latex", options)
        builder.note("encoding", encoding)
        facts = {key: found[1] for key, at in _META.items() if (found := at.search(text))}
        title = _plain(facts.pop("title", ""))
        for key, value in facts.items():
            builder.note(key, _plain(value.replace(r"\and", ", ")))
        if begin := _BODY.search(text):
            text = text[begin.end() :].partition(r"\end{document}")[0]
        if title:
            builder.heading(title, 1)
        _write(text, builder)
        return builder.build(title=title or None)


def _write(text: str, builder: DocumentBuilder) -> None:
    """Add blocks up to each section or environment, then that one, and so on to the end."""
    at = 0
    while True:
        section, begin = _SECTION.search(text, at), _BEGIN.search(text, at)
        if section is not None and (begin is None or section.start() < begin.start()):
            _paragraphs(text[at : section.start()], builder)
            builder.heading(_plain(section[2]), _LEVELS[section[1]])
            at = section.end()
        elif begin is not None:
            _paragraphs(text[at : begin.start()], builder)
            at = _environment(text, begin, builder)
        else:
            _paragraphs(text[at:], builder)
            return


def _environment(text: str, begin: re.Match[str], builder: DocumentBuilder) -> int:
    """Add an environment; return where to go on: behind it, or inside one that only wraps."""
    kind = begin[1].rstrip("*")
    known = _CODE | _LISTS | _TABLES | _FORMULAS | _PICTURES
    end = _end(text, begin) if kind in known else -1
    if end < 0:
        return begin.end()
    body = text[begin.end() : end]
    if kind in _CODE:
        builder.add(re.sub(r"\A(?:\{\w*\})+", "", body), BlockKind.CODE)
    elif kind in _LISTS:
        items = re.split(r"\\item\b", _COMMENT.sub("", body))[1:]
        lines = (join_lines(_plain(item)) for item in items)
        builder.add("\n".join(f"- {line}" for line in lines if line), BlockKind.LIST)
    elif kind in _TABLES:
        _table(body, builder)
    elif kind in _FORMULAS:
        builder.add(f"$${body.strip()}$$")
    return end + len(f"\\end{{{begin[1]}}}")


def _end(text: str, begin: re.Match[str]) -> int:
    """Return where the environment that begins there ends, others of its name inside it."""
    depth = 1
    for found in re.finditer(rf"\\(begin|end)\{{{re.escape(begin[1])}\}}", text[begin.end() :]):
        depth += 1 if found[1] == "begin" else -1
        if not depth:
            return begin.end() + found.start()
    return -1


def _table(body: str, builder: DocumentBuilder) -> None:
    columns = re.compile(rf"\A\s*(?:\[[^\]]*\])?\s*(?:{_ARGUMENT}\s*){{1,2}}").match(body)
    body = _COMMENT.sub("", body[columns.end() :] if columns else body)
    body = re.sub(r"\\(?:hline|toprule|midrule|bottomrule|endhead|endfirsthead)\b", "", body)
    rows = [
        [join_lines(_plain(cell)) for cell in re.split(r"(?<!\\)&", row)]
        for row in re.split(r"\\\\(?:\[[^\]]*\])?", body)
    ]
    rows = [row for row in rows if any(map(only_text, row))]
    if not rows:
        return
    width = max(map(len, rows))
    head, *rest = [row + [""] * (width - len(row)) for row in rows]
    lines = [table_row(head), table_row(["---"] * width), *map(table_row, rest)]
    builder.add("\n".join(lines), BlockKind.TABLE)


def _paragraphs(text: str, builder: DocumentBuilder) -> None:
    for part in re.split(r"\n[ \t]*\n", "\n".join(_without_comments(text.split("\n")))):
        builder.add("\n".join(filter(None, map(join_lines, _plain(part).split("\n\n")))))


def _without_comments(lines: list[str]) -> list[str]:
    """Drop comments; a line that is nothing else parts no paragraphs."""
    return [_COMMENT.sub("", line) for line in lines if not line.lstrip().startswith("%")]


def _plain(text: str) -> str:
    """Return what a piece of LaTeX says; formulas stay."""
    held: list[str] = []

    def hold(found: re.Match[str]) -> str:
        held.append(found[0])
        return f"\ue000{len(held) - 1}\ue001"

    text = _MATHS.sub(hold, text)
    text = _HREF.sub(r"\2", _REFERENCE.sub("", _SILENT.sub("", text)))
    text = re.sub(r"\\(?:begin|end)\{\w+\*?\}(?:\[[^\]]*\])?", "", text)
    for _ in range(_MAX_ROUNDS):
        text, changed = _KEPT.subn(r"\1", text)
        if not changed:
            break
    for sign, plain in _SIGNS:
        text = text.replace(sign, plain)
    text = _ESCAPED.sub(r"\1", re.sub(r"(?<!\\)[{}]", "", _COMMAND.sub("", text)))
    return _HELD.sub(lambda found: held[int(found[1])], text).strip()
