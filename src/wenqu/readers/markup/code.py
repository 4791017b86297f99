"""Source code and configuration: cut between top-level definitions, and kept as it is written.

No language is parsed: a definition begins at the left edge, after an empty line, with what is a
definition in one of the common languages. Its name becomes a heading, so that a chunk from the
middle of a long function still says which.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder
from wenqu.readers.encoding import decode, looks_binary
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["LANGUAGES", "CodeReader"]

LANGUAGES = {
    suffix: language
    for language, suffixes in {
        "python": ".py .pyi .pyx .pyw", "javascript": ".js .mjs .cjs .jsx",
        "json5": ".json5 .jsonc",
        "typescript": ".ts .tsx .mts .cts", "java": ".java", "kotlin": ".kt .kts", "go": ".go",
        "rust": ".rs", "c": ".c .h", "c++": ".cc .cpp .cxx .hpp .hh .hxx .cu .cuh", "c#": ".cs",
        "swift": ".swift", "scala": ".scala", "groovy": ".groovy .gradle", "dart": ".dart",
        "php": ".php", "ruby": ".rb .rake .gemspec", "perl": ".pl .pm", "lua": ".lua", "r": ".r",
        "julia": ".jl", "haskell": ".hs", "ocaml": ".ml .mli", "elixir": ".ex .exs",
        "erlang": ".erl",
        "clojure": ".clj .cljs", "lisp": ".lisp .el .scm", "shell": ".sh .bash .zsh .fish .ksh",
        "powershell": ".ps1 .psm1", "batch": ".bat .cmd", "sql": ".sql", "yaml": ".yaml .yml",
        "toml": ".toml", "ini": ".ini .cfg .conf .properties .env .editorconfig .desktop .service",
        "css": ".css .scss .sass .less", "vue": ".vue .svelte", "protobuf": ".proto .thrift",
        "graphql": ".graphql .gql", "terraform": ".tf .hcl .tfvars", "cmake": ".cmake",
        "make": ".mk",
        "matlab": ".m", "fortran": ".f .f90 .f95 .for", "pascal": ".pas", "basic": ".vb .bas .vbs",
        "assembly": ".asm .s", "verilog": ".v .sv .vhd .vhdl", "zig": ".zig", "nim": ".nim",
        "solidity": ".sol", "awk": ".awk", "tcl": ".tcl", "vim": ".vim", "diff": ".diff .patch",
        "bazel": ".bzl .bazel", "nix": ".nix", "jinja": ".j2 .jinja .tmpl .tpl",
    }.items()
    for suffix in suffixes.split()
}  # fmt: skip
"""Suffix → language."""

_NAMES = {
    "dockerfile": "dockerfile", "containerfile": "dockerfile", "makefile": "make",
    "gnumakefile": "make", "cmakelists.txt": "cmake", "jenkinsfile": "groovy", "gemfile": "ruby",
    "rakefile": "ruby", "vagrantfile": "ruby", "procfile": "yaml", "build": "bazel",
    "workspace": "bazel", "meson.build": "meson", "go.mod": "go", ".bashrc": "shell",
    ".gitignore": "ignore", ".dockerignore": "ignore", ".env": "ini", ".npmrc": "ini",
}  # fmt: skip
_SHEBANG = re.compile(rb"\A#!\s*/\S*?(?:/env\s+(?:-S\s+)?)?(\w+?)[\d.]*(?:\s|\Z)")
_SHELLS = {"sh": "shell", "bash": "shell", "zsh": "shell", "node": "javascript", "lua": "lua",
           "perl": "perl", "python": "python", "ruby": "ruby", "php": "php",
           "awk": "awk"}  # fmt: skip

# Words that stand before the one that says what is defined.
_BEFORE = (
    r"(?:(?:export|default|declare|public|private|protected|internal|static|final|abstract|sealed|"
    r"async|pub(?:\([\w:]+\))?|unsafe|extern|const|inline|virtual|open|data|override|local|partial|"
    r"readonly|template\s*<[^<>]*>)\s+)*"
)
_DEFINITION = re.compile(
    rf"{_BEFORE}(?P<what>def|class|interface|enum|struct|trait|impl(?:<[^<>]{{0,60}}>)?|record|object|protocol|extension|"
    r"module|mod|namespace|package(?=\s+\w+\s*\{)|fn|func|fun|function\*?|sub|macro|union|type|defp?|"
    r"defmodule|defmacro|contract|message|service|resource|actor)"
    r"(?:\s*\([^()\n]{0,80}\))?\s+(?P<name>[\w$.:<>'?!-]*[\w$>?!])"
)
_ASSIGNED = re.compile(
    r"(?:export\s+)?(?:const|let|var|local)?\s*(?P<name>[A-Za-z_.$][\w.$]*)\s*(?:=|<-|:=)\s*"
    r"(?:async\s+)?(?:function\b|\([^()\n]{0,200}\)\s*=>)"
)
# C and its kin: a type, a name, parameters, and no semicolon at the end.
_C_FUNCTION = re.compile(
    r"(?![#/*})])(?!(?:if|for|while|switch|return|else|do|typedef|case)\b)"
    r"(?:[A-Za-z_][\w:<>,\[\]]*[\s*&]+){1,6}(?P<name>~?[A-Za-z_][\w:~]*)\s*\([^;]*\Z"
)
_SHELL_FUNCTION = re.compile(r"(?P<name>[A-Za-z_][\w-]*)\s*\(\)\s*\{?")
_SQL = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP(?:ORARY)?\s+|UNIQUE\s+|MATERIALIZED\s+)*"
    r"(?P<name>(?:TABLE|VIEW|INDEX|FUNCTION|PROCEDURE|TRIGGER|TYPE)\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r"[\w.`\"\[\]]+)",
    re.IGNORECASE,
)
_SECTION = re.compile(r"\[{1,2}(?P<name>[^\[\]\n]+)\]{1,2}\s*(?:[#;].*)?\Z")
_PATTERNS = {
    "c": (_C_FUNCTION,), "c++": (_C_FUNCTION,), "shell": (_SHELL_FUNCTION,),
    "sql": (_SQL,), "toml": (_SECTION,), "ini": (_SECTION,),
    "javascript": (_ASSIGNED,), "typescript": (_ASSIGNED,), "r": (_ASSIGNED,), "lua": (_ASSIGNED,),
}  # fmt: skip
_OWN_DEFINITIONS = frozenset({"sql", "toml", "ini"})
_FEW_LINES = 30  # imports and constants stand together up to here
_MAX_LINE = 400  # a longer line is generated, and the patterns are for what people write
_NO_DEFINITIONS = frozenset({"yaml", "css", "make", "dockerfile", "diff", "ignore", "vue", "batch"})
# What belongs to the definition below it.
_LEADS = re.compile(r"\s*(?:#(?!include|define|if|endif)|//|/\*|\*|--|;|%|@\w|\"\"\"|\[[\w(])")


class CodeReader:
    """Reads source code, scripts and configuration in any common language."""

    name = "code/1"

    def accepts(self, sample: Sample) -> bool:
        """Take known names and suffixes, and scripts by their first line, where it may be text."""
        if sample.container or looks_binary(sample.head):
            return False
        return _language(sample.name, sample.head) is not None

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document: its blocks are code, below the names of what they define.

        Raises:
            ReadError: It is empty, binary, or in an unknown encoding.
        """
        text, encoding = decode(data, source)
        builder = DocumentBuilder(source, "code", options)
        builder.note("encoding", encoding)
        language = _language(PurePath(source).name, data[:200]) or "text"
        builder.note("code_language", language)
        for part in _parts(text.splitlines(), language):
            if part.name:
                builder.heading(part.name, 1)
            builder.add("\n".join(part.lines), BlockKind.CODE)
        # The suffix is part of what a file of code is called.
        return builder.build(title=PurePath(source.replace("\\", "/")).name)


class _Part(NamedTuple):
    name: str
    lines: list[str]


def _language(name: str, head: bytes) -> str | None:
    path = PurePath(name)
    if known := _NAMES.get(path.name.lower()):
        return known
    if path.name.lower().startswith(("dockerfile.", "makefile.")):
        return _NAMES[path.stem.lower().partition(".")[0]]
    if path.suffix:
        return LANGUAGES.get(path.suffix.lower())
    found = _SHEBANG.match(head)
    return _SHELLS.get(found[1].decode("ascii", "replace")) if found else None


def _parts(lines: list[str], language: str) -> Iterator[_Part]:
    """Cut before definitions with the comments above them, and where an empty line ends one."""
    name, held, quoted = "", list[str](), False
    for at, line in enumerate(lines):
        if language == "python" and line.count('"""') % 2:
            quoted = not quoted
        if not quoted and (found := _defined(line, language)):
            lead = len(held) - _lead(held)
            if any(map(str.strip, held[:lead])):
                yield _Part(name, held[:lead])
                held = held[lead:]
            name = found
        held.append(line)
        whole = bool(name) or len(held) >= _FEW_LINES
        if whole and not quoted and not line.strip() and _begins(lines, at + 1):
            yield _Part(name, held)
            name, held = "", []
    yield _Part(name, held)


def _defined(line: str, language: str) -> str:
    """Return the name that a line defines at the left edge, or nothing."""
    if not line or line[0].isspace() or language in _NO_DEFINITIONS or len(line) > _MAX_LINE:
        return ""
    for pattern in _PATTERNS.get(language, ()):
        if found := pattern.match(line):
            return str(found["name"])
    found = None if language in _OWN_DEFINITIONS else _DEFINITION.match(line)
    return f"{found['what']} {found['name']}" if found else ""


def _lead(held: list[str]) -> int:
    """Return how many of the last lines are comments or decorators right above."""
    count = 0
    while count < len(held) and _LEADS.match(held[-1 - count]) and held[-1 - count][0] != " ":
        count += 1
    return count


def _begins(lines: list[str], at: int) -> bool:
    """Say whether a line begins something: it stands at the left edge, and closes nothing."""
    line = lines[at] if at < len(lines) else ""
    return bool(line.strip()) and not line[0].isspace() and line[0] not in "})]\"'"
