"""Source code, cut where a reader of code would cut it."""

from __future__ import annotations

import pytest

from wenqu.protocols import Sample
from wenqu.readers.markup.code import CodeReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import texts
from wenqu.types import BlockKind, Document

PYTHON = '''"""A module.

With a docstring.
"""

import os

LIMIT = 3


# 检索一次。
@cached
def search(query: str) -> list[str]:
    """Return hits.

def not_a_definition
    """
    return []


class Index:
    def apply(self) -> None:
        pass
'''


class TestCodeReader(ReaderContract):
    def reader(self) -> CodeReader:
        return CodeReader()

    def samples(self) -> dict[str, bytes]:
        return {
            "search.py": PYTHON.encode(),
            "检索.sql": "-- 检索\nSELECT 1;\n".encode("gb18030"),
            "Dockerfile": b"FROM scratch\n\nCOPY . /\n",
        }


def read(text: str, name: str) -> Document:
    return CodeReader().read(text.encode(), name)


def test_definitions_are_headed_by_their_names_and_keep_what_stands_above_them() -> None:
    document = read(PYTHON, "src/search.py")
    assert document.title == "search.py"
    assert document.meta["code_language"] == "python"
    assert texts(document, BlockKind.HEADING) == ["def search", "class Index"]
    first, _, search, _, index = texts(document)
    assert first.endswith("LIMIT = 3\n```")
    assert search.startswith("```\n# 检索一次。\n@cached\ndef search")
    assert "def not_a_definition" in search
    assert index.startswith("```\nclass Index:")


@pytest.mark.parametrize(
    ("name", "line", "heading"),
    [
        ("a.js", "export async function load(x) {", "function load"),
        ("a.ts", "export const load = async (x: string) => {", "load"),
        ("a.ts", "export interface Hit {", "interface Hit"),
        ("a.go", "func (s *Server) Serve(w io.Writer) error {", "func Serve"),
        ("a.rs", "pub(crate) fn run() -> Result<()> {", "fn run"),
        ("a.rs", "impl<T> Index<T> for Tree {", "impl<T> Index<T>"),
        ("a.java", "public final class Index extends Base {", "class Index"),
        ("a.c", "static int *find(const char *name,", "find"),
        ("a.cpp", "std::vector<int> Index::search(int top) const {", "Index::search"),
        ("a.h", "struct hit {", "struct hit"),
        ("a.rb", "module Search", "module Search"),
        ("a.sh", "install() {", "install"),
        ("a.sql", "create or replace view hits as", "view hits"),
        ("a.toml", "[tool.ruff]", "tool.ruff"),
        ("a.r", "search <- function(query) {", "search"),
        ("a.lua", "local function search(query)", "function search"),
        ("a.proto", "message Hit {", "message Hit"),
    ],
)
def test_definitions_of_many_languages_are_known(name: str, line: str, heading: str) -> None:
    found = texts(read(f"{line}\n  body\n}}\n", name), BlockKind.HEADING)
    assert [text.lower() for text in found] == [heading.lower()]


@pytest.mark.parametrize("line", ["if (a) {", "return f(x);", "x = find(1)", "call(a, b);"])
def test_statements_define_nothing(line: str) -> None:
    assert texts(read(f"{line}\n", "a.c"), BlockKind.HEADING) == []


def test_configuration_has_no_definitions_to_speak_of() -> None:
    text = "type: object\nclass: big\n\nitems:\n  - 一\n"
    document = read(text, "a.yaml")
    assert document.text == f"```\n{text.strip()}\n```"


def test_a_generated_line_of_a_megabyte_is_read() -> None:
    line = "function a(){" + "b();" * 250_000 + "}"
    assert line in read(line, "a.min.js").text


def test_code_is_known_by_name_suffix_or_first_line() -> None:
    reader = CodeReader()
    assert reader.accepts(Sample(name="Makefile", head=b"all:\n"))
    assert reader.accepts(Sample(name="Dockerfile.dev", head=b"FROM x\n"))
    assert reader.accepts(Sample(name="run", head=b"#!/usr/bin/env python3\n"))
    assert not reader.accepts(Sample(name="notes", head=b"# words\n"))
    assert not reader.accepts(Sample(name="notes.txt", head=b"words\n"))
