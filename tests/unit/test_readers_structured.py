"""JSON that reads, a record at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import Sample
from wenqu.readers.markup.structured import JsonReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import outlined

if TYPE_CHECKING:
    from wenqu.types import Document

QUESTIONS = """[
  {"question": "年假有几天？", "answer": "满一年五天。\\n满十年十天。"},
  {"question": "病假怎么请？", "answer": "凭医院证明。"}
]"""
ROOMS = '{"title": "Rooms", "rows": [{"name": "a|b", "seats": 6.50}, {"name": "c", "big": true}]}'


class TestJsonReader(ReaderContract):
    def reader(self) -> JsonReader:
        return JsonReader()

    def samples(self) -> dict[str, bytes]:
        return {
            "问答.json": QUESTIONS.encode("gb18030"),
            "rooms.json": b"\xef\xbb\xbf" + ROOMS.encode(),
            "lines.jsonl": b'{"a": 1}\n\n{"a": 2}\n',
        }


def read(text: str, name: str = "x.json") -> Document:
    return JsonReader().read(text.encode(), name)


def test_a_question_stays_with_its_answer() -> None:
    assert outlined(read(QUESTIONS)) == [
        ("paragraph", "question: 年假有几天？\nanswer: 满一年五天。\n满十年十天。", ()),
        ("paragraph", "question: 病假怎么请？\nanswer: 凭医院证明。", ()),
    ]


def test_regular_short_records_are_one_table_below_their_name() -> None:
    document = read(ROOMS)
    assert document.title == "Rooms"
    assert outlined(document)[-1] == (
        "table",
        "| name | seats | big |\n| --- | --- | --- |\n| a\\|b | 6.50 |  |\n| c |  | true |",
        ("rows",),
    )


def test_a_table_of_any_length_is_one_block() -> None:
    rows = json.dumps([{"id": number, "name": f"n{number}"} for number in range(3000)])
    assert len(read(rows).blocks) == 1


def test_nested_objects_are_sections_and_plain_fields_come_before_them() -> None:
    text = '{"a": {"b": {"c": [1, 2]}, "d": "x"}, "e": null, "f": false, "g": []}'
    assert outlined(read(text)) == [
        ("paragraph", "f: false", ()),
        ("heading", "a", ()),
        ("paragraph", "d: x", ("a",)),
        ("heading", "b", ("a",)),
        ("paragraph", "c: 1, 2", ("a", "b")),
    ]


def test_an_item_with_parts_is_headed_by_its_title() -> None:
    text = '[{"title": "One", "tags": [{"k": "v"}]}, {"title": "Two", "tags": [{"k": "w"}]}]'
    assert [block[1] for block in outlined(read(text)) if block[0] == "heading"] == [
        "One",
        "tags",
        "Two",
        "tags",
    ]


def test_a_conversation_reads_as_who_said_what() -> None:
    lines = '{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes?"}]}\n'
    texts = [block[1] for block in outlined(read(lines * 2, "chat.jsonl"))]
    assert texts == ["#1", "user: Hi", "assistant: Yes?", "#2", "user: Hi", "assistant: Yes?"]


def test_a_few_broken_lines_are_counted_and_the_others_read() -> None:
    lines = "".join(f'{{"n": "word {number}"}}\n' for number in range(20)) + '{"n": "cut\n'
    document = read(lines, "x.jsonl")
    assert document.meta["broken_lines"] == "1"
    assert "word 19" in document.text


def test_values_one_after_another_are_records_also_without_the_right_suffix() -> None:
    assert read('{"a": "x"}\n{"a": "y"}').text == "a: x\n\na: y"
    assert read('{\n"a": "x"\n}\n{\n"a": "y"\n}', "x.jsonl").text == "a: x\n\na: y"


@pytest.mark.parametrize("text", ["{a: 1, // why\n b: 'two'}", '{"a": "cut off', "[" * 5000 + "a"])
def test_broken_json_is_read_as_text_and_says_so(text: str) -> None:
    document = read(text)
    assert "a" in document.text
    assert document.meta["damaged"]


def test_deep_nesting_is_read_to_the_ground() -> None:
    deep = '{"k":' * 300 + '"ground"' + "}" * 300
    assert "ground" in read(deep).text


def test_a_value_without_words_holds_no_text() -> None:
    with pytest.raises(ReadError) as caught:
        read("{}")
    assert caught.value.key == "read.empty"


def test_json_is_known_by_its_beginning_unless_the_name_says_otherwise() -> None:
    assert JsonReader().accepts(Sample(name="export", head=b'\n{"a": 1}'))
    assert JsonReader().accepts(Sample(name="export.dat", head=b'[{"a": 1}]'))
    assert not JsonReader().accepts(Sample(name="notes.txt", head=b'{"a": 1}'))
    assert not JsonReader().accepts(Sample(name="code", head=b"{ return; }"))
