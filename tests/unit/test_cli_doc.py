from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from wenqu.app import open_app
from wenqu.cli.main import app as cli
from wenqu.cli.session import Exit
from wenqu.readers.builder import DocumentBuilder
from wenqu.testing.samples import MODEL, embedding_key_of, put_of
from wenqu.text.chunk import chunk
from wenqu.types import BlockKind, Box, Chunking

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wenqu.types import Document

HEADER = "| 姓名 | 天数 |\n| --- | --- |"
ROWS = [f"| 某人{number} | {number} |" for number in range(40)]


def token_starts(text: str) -> list[int]:
    return [match.start() for match in re.finditer(r"\w+|[^\w\s]", text)]


def notice() -> Document:
    builder = DocumentBuilder("/files/notice.docx", "docx")
    builder.note("author", "张三")
    builder.note("date", "2024-05-01")
    builder.note("colour", "red")
    builder.leave_out("seal.emf")
    box = Box(left=0, top=0, right=1, bottom=1)
    builder.heading("关于[bold]年假[/bold]的通知", 1, page=1, box=box)
    builder.add("Dear all :smile:,\n\tsee the table.", page=1, box=box)
    builder.add("\n".join([HEADER, *ROWS]), BlockKind.TABLE, page=2, box=box)
    return builder.build()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run ``wenqu doc`` on a knowledge base that holds one document."""
    monkeypatch.setenv("WENQU_HOME", str(tmp_path))
    document = notice()

    async def fill() -> None:
        async with open_app(home=tmp_path) as app:
            base = await app.bases.create("made")
            chunks = chunk(document, Chunking(max_tokens=64), token_starts)
            put = put_of(document)
            keys = [embedding_key_of(one.text) for one in chunks]
            vectors = {key: next(iter(put.embeddings.values())) for key in keys}
            put = replace(put, chunks=chunks, embedding_keys=keys, embeddings=vectors)
            await app.documents.put(base.id, [put], MODEL)

    asyncio.run(fill())

    def invoke(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["doc", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    return invoke


def test_a_document_is_shown_as_it_reads_below_what_is_known_of_it(
    run: Callable[..., str],
) -> None:
    head, _, text = run("show", "notice.docx").partition("\n" + "─" * 40 + "\n")
    assert head.splitlines() == [
        "Title: 关于[bold]年假[/bold]的通知",
        "Source: /files/notice.docx",
        "Author: 张三",
        "Date: 2024-05-01",
        "Format: docx",
        "Pages: 2",
        "colour: red",
        "Left out: seal.emf",
    ]
    assert text == notice().text + "\n"


def test_what_is_known_of_a_document_is_named_in_the_users_language(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WENQU_LANGUAGE", "zh")
    shown = run("show", "notice.docx")
    assert "标题：关于" in shown
    assert "\n略去：seal.emf\n" in shown


def test_headings_stand_out_in_a_terminal(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b[" not in run("show", "notice.docx")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    shown = run("show", "notice.docx")
    assert "\x1b[1;36m关于[bold]年假[/bold]的通知\x1b[0m\n\nDear all :smile:,\n" in shown


def test_chunks_are_shown_with_offsets_pages_path_and_header_rows(
    run: Callable[..., str],
) -> None:
    whole = json.loads(run("show", "notice.docx", "--json"))
    shown = run("show", "notice.docx", "--chunks")
    assert len(whole["chunks"]) > 3
    for one in whole["chunks"]:
        assert f"── {one['id']}  {one['start']}-{one['end']}" in shown
        assert one["text"] in shown
    last = whole["chunks"][-1]
    assert last["header"] == HEADER
    assert f"{HEADER}\n(header rows, repeated)\n{last['text']}\n" in shown
    assert "关于[bold]年假[/bold]的通知  page 2\n" in shown


def test_as_json_there_is_all_of_it(run: Callable[..., str]) -> None:
    whole: dict[str, Any] = json.loads(run("show", "notice.docx", "--json"))
    assert whole["text"] == notice().text
    assert whole["meta"]["author"] == "张三"
    assert whole["meta"]["left_out"] == "seal.emf"
    for one in whole["chunks"]:
        assert whole["text"][one["start"] : one["end"]] == one["text"]
        assert set(one) == {"id", "start", "end", "heading", "pages", "header", "text"}


def test_a_document_is_listed_and_removed(run: Callable[..., str]) -> None:
    assert "notice.docx" in run("list")
    run("remove", "notice.docx")
    assert run("list") == ""


def test_tags_are_given_shown_and_taken_away(run: Callable[..., str]) -> None:
    assert run("tag", "notice.docx") == "/files/notice.docx\n"
    assert run("tag", "notice.docx", "--add", "人事", "--add", "HR") == (
        "/files/notice.docx  #HR  #人事\n"
    )
    assert "Tags: HR, 人事\n" in run("show", "notice.docx")
    assert "  #HR  #人事  " in run("list")
    assert json.loads(run("list", "--json"))[0]["tags"] == ["HR", "人事"]
    assert json.loads(run("show", "notice.docx", "--json"))["tags"] == ["HR", "人事"]
    left = json.loads(run("tag", "notice.docx", "--remove", "HR", "--json"))
    assert [one["tags"] for one in left] == [["人事"]]


def test_what_cannot_be_a_tag_is_refused(run: Callable[..., str]) -> None:
    done = CliRunner().invoke(cli, ["doc", "tag", "notice.docx", "--add", "a,b"])
    assert done.exit_code == Exit.UNUSABLE
    assert "a,b" in done.stderr
    assert run("tag", "notice.docx") == "/files/notice.docx\n"
