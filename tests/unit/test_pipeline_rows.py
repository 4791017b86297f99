from __future__ import annotations

import asyncio

from wenqu.pipeline.evidence import Selection, select
from wenqu.pipeline.rows import by_rows
from wenqu.testing.embedder import FakeEmbedder
from wenqu.types import Chunk, DocumentInfo, Hit, Language, Origin

OFFSET = 500
HEADER = "| 工龄 | 年假 |\n| --- | --- |"
TABLE = (
    f"年假按工龄计算。\n\n{HEADER}\n| 满 1 年 | 7 天 |\n| 满 20 年 | 15 天 |\n\n不足一天的不计。"
)


def chosen(text: str) -> Selection:
    chunk = Chunk(id="c", document_id="d", text=text, start=OFFSET, end=OFFSET + len(text))
    document = DocumentInfo(id="d", source="d", title="年假", language="zh")
    hit = Hit(chunk=chunk, document=document, score=1.0, origin=Origin.FUSED)
    return asyncio.run(select("年假有几天？", [hit], FakeEmbedder(), 200))


def apart(selection: Selection, *languages: Language) -> Selection:
    return asyncio.run(by_rows(selection, languages, FakeEmbedder()))


def test_a_table_in_another_language_is_its_rows_each_at_its_place() -> None:
    selection = chosen(TABLE)
    found = apart(selection, "en").sentences
    assert [one.text for one in found] == [
        "年假按工龄计算。",
        "| 满 1 年 | 7 天 |",
        "| 满 20 年 | 15 天 |",
        "不足一天的不计。",
    ]
    assert [TABLE[one.span.start - OFFSET : one.span.end - OFFSET] for one in found] == [
        one.text for one in found
    ]
    assert [one.header for one in found] == ["", HEADER, HEADER, ""]


def test_a_row_has_a_vector_of_its_own_with_its_header() -> None:
    row = apart(chosen(TABLE), "en").sentences[2]
    vectors = asyncio.run(FakeEmbedder().embed([f"{HEADER}\n| 满 20 年 | 15 天 |"], "passage"))
    assert (row.vector == vectors[0]).all()


def test_a_table_in_the_language_of_the_answer_stays_whole() -> None:
    selection = chosen(TABLE)
    assert apart(selection, "en", "zh") is selection


def test_what_is_announced_goes_with_its_table_and_bars_in_a_sentence_make_no_table() -> None:
    announced = chosen(f"天数如下：\n\n{HEADER}\n| 满 1 年 | 7 天 |\n| 满 20 年 | 15 天 |")
    assert [one.text for one in apart(announced, "en").sentences] == [
        "| 满 1 年 | 7 天 |",
        "| 满 20 年 | 15 天 |",
    ]
    barred = chosen("用 a | b 表示二者之一。")
    assert apart(barred, "en") is barred
