"""Markdown as it reads."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from wenqu.readers.builder import DocumentBuilder
from wenqu.readers.markup.markdown import MarkdownReader, write_markdown
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import texts
from wenqu.types import BlockKind, Document

README = """---
title: "An engine"
author: Ada
---

<div align="center">
  <img src="https://img.shields.io/badge/x.svg" alt="license">
  <h1>Engine <!-- hidden --></h1>
</div>

[![build](https://a.example/badge.svg)](https://a.example) ![Design](design.png)

A **fast**, [light](https://a.example) engine
for `text`.<br>Second line.

## Install <a name="x"></a>

1. Get it:
   ```bash
   pip install engine
   ```
2. Run it.
   - on a laptop
   - on a server

> [!NOTE]
> Needs Python.

| Name | Use |
|:-----|----:|
| `a|b` | **bold** |

```python
def f():
    return "# no heading"
```

```{note}
A note with *words*.
```

```{toctree}
one
```

:::{tip}
Inside a fence.
:::

### 中文标题

第一行
第二行，见 {ref}`安装`。
"""


class TestMarkdownReader(ReaderContract):
    def reader(self) -> MarkdownReader:
        return MarkdownReader()

    def samples(self) -> dict[str, bytes]:
        return {"README.md": README.encode(), "说明.md": "# 说明\r\n\r\n正文。".encode("gb18030")}


def read(text: str, name: str = "x.md") -> Document:
    return MarkdownReader().read(text.encode(), name)


def test_paragraphs_read_as_text() -> None:
    paragraphs = texts(read(README), BlockKind.PARAGRAPH)
    assert paragraphs == [
        "Design",
        "A fast, light engine for `text`.\nSecond line.",
        "Needs Python.",
        "A note with words.",
        "Inside a fence.",
        "第一行第二行，见 `安装`。",
    ]


def test_headings_come_from_markdown_and_from_html_and_make_paths() -> None:
    document = read(README)
    assert texts(document, BlockKind.HEADING) == ["Engine", "Install", "中文标题"]
    assert document.blocks[-1].heading == ("Engine", "Install", "中文标题")


def test_lists_tables_and_code_stay_as_written() -> None:
    document = read(README)
    assert texts(document, BlockKind.LIST) == [
        "1. Get it:\n   pip install engine\n2. Run it.\n   - on a laptop\n   - on a server"
    ]
    # A bar in code splits a cell, as GitHub has it.
    assert texts(document, BlockKind.TABLE) == ["| Name | Use |\n| --- | --- |\n| `a | b` |"]
    assert texts(document, BlockKind.CODE) == ['```\ndef f():\n    return "# no heading"\n```']


def test_front_matter_becomes_title_and_meta() -> None:
    document = read(README)
    assert document.title == "An engine"
    assert document.meta["author"] == "Ada"
    assert "author" not in document.text


def test_a_heading_deep_in_the_text_is_no_title() -> None:
    document = read("Intro.\n\n## News\n\nNew.\n\n## More\n\nMore.", "engine/README.md")
    assert document.title == "engine/README"


def test_the_one_highest_heading_is_the_title_wherever_it_stands() -> None:
    assert read("English | 中文\n\n# Engine\n\n## News\n\nNew.").title == "Engine"


def test_comments_and_scripts_leave_nothing() -> None:
    document = read("Text.\n\n<!-- secret\n\nsecret -->\n\n<script>secret()</script>\n\nEnd.")
    assert document.text == "Text.\n\nEnd."


def test_a_table_in_html_is_read_as_a_table() -> None:
    html = "<table>\n<tr><th>模型</th><th>大小</th></tr>\n<tr><td>A</td><td>7B</td></tr>\n</table>"
    document = read(html)
    assert document.text == "| 模型 | 大小 |\n| --- | --- |\n| A | 7B |"


def test_a_tower_of_quotes_and_lists_is_read_as_far_as_anyone_nests() -> None:
    assert read("> " * 25 + "deep").text == "deep"
    assert "- - - deep" in " ".join(read("- " * 25 + "deep").text.split())


WORDS = ["a", "中文", "，", "1", "1.", ".", "'", "!", "&", "="]
MARKS = ["#", "##", "-", ">", "*", "`", "---", "|", "<!--x-->"]
SPACES = [" ", "  ", " #", "# ", "- ", "\n", "\n\n", "\u3000", "    ", "\t"]


@example(["<!--x-->", "a", "<!--x-->"])
@given(st.lists(st.sampled_from(WORDS + MARKS + SPACES), max_size=14))
def test_plain_text_reads_the_same_with_and_without_the_parser(pieces: list[str]) -> None:
    text = "".join(pieces)
    plain, parsed = DocumentBuilder("x", "markdown"), DocumentBuilder("x", "markdown")
    # A mark in a paragraph of its own makes the whole text go through the parser.
    write_markdown(f"x\n\n{text}\n\nx", plain)
    write_markdown(f"***\n\nx\n\n{text}\n\nx", parsed)
    plain.heading("end", 1)
    parsed.heading("end", 1)
    assert plain.build() == parsed.build()


def test_front_matter_of_hugo_is_meta_too() -> None:
    document = read('+++\ntitle = "Ducks"\ndate = 2024-05-01\n+++\n\nQuack.\n')
    assert document.title == "Ducks"
    assert document.meta["date"] == "2024-05-01"
    assert document.text == "Quack."


def test_a_table_of_any_length_is_one_block() -> None:
    rows = "".join(f"| {n} | word {n} |\n" for n in range(2000))
    assert len(read(f"| n | w |\n| --- | --- |\n{rows}").blocks) == 1


def test_a_long_file_reads_as_its_parts_do() -> None:
    section = "# Part\n\n**Words** and [a link][x].\n\n```\n# no heading\n```\n\n"
    document = read("[x]: https://a.example\n\n" + section * 6000)
    headings = texts(document, BlockKind.HEADING)
    assert headings == ["Part"] * 6000
    assert texts(document, BlockKind.PARAGRAPH) == ["Words and a link."] * 6000
