"""Answers compared with evidence by the real embedder, above all in the other language."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from wenqu.models.catalog import find
from wenqu.models.e5 import E5Embedder, open_embedder
from wenqu.models.questions import typical_questions
from wenqu.pipeline.evidence import select
from wenqu.pipeline.verify import Checked, verify
from wenqu.types import Chunk, DocumentInfo, Hit, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

PUMP = (
    "The pump runs at 45 bar. Replace the filter every 300 hours. The oil tank is on the left side."
    " Never start the motor while the cover is open."
)
PRESS = "Two people must hold the buttons while the press closes. The press weighs 900 kg."
LIBRARY = (
    "图书馆周一闭馆。每位读者最多可以借十二本书。借书证遗失后应立即到服务台挂失。阅览室内不得饮食。"
)


@pytest.fixture(scope="module")
def embedder(models_dir: Path) -> Iterator[E5Embedder]:
    found = open_embedder(find("multilingual-e5-small"), models_dir, threads=1)
    yield found
    found.close()


LEAVE = (
    "年假按累计工作年限计算。\n\n| 累计工作年限 | 每年年假 |\n| --- | --- |\n"
    "| 满 1 年不满 3 年 | 7 天 |\n| 满 3 年不满 10 年 | 10 天 |\n"
    "| 满 10 年不满 20 年 | 12 天 |\n| 满 20 年 | 15 天 |"
)
METERS = "A reader comes in May to look at the meters. How many there are is on the first page."


def checked(embedder: E5Embedder, question: str, text: str, *passages: str) -> Checked:
    async def run() -> Checked:
        hits = []
        for at, passage in enumerate(passages):
            chunk = Chunk(
                id=f"c{at}", document_id=f"d{at}", text=passage, start=0, end=len(passage)
            )
            document = DocumentInfo(id=f"d{at}", source="manual", title="manual", language="en")
            hits.append(Hit(chunk=chunk, document=document, score=1.0, origin=Origin.FUSED))
        selection = await select(question, hits, embedder, 300)
        typical = typical_questions(embedder.fingerprint)
        return await verify(text, selection, embedder, question, typical)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("滤芯每 300 小时更换一次[1]。", "Replace the filter every 300 hours."),
        ("压机重 900 千克[2]。", "The press weighs 900 kg."),
        ("油箱在左侧[1]。", "The oil tank is on the left side."),
    ],
)
def test_what_english_evidence_says_is_supported_in_chinese(
    embedder: E5Embedder, text: str, quote: str
) -> None:
    found = checked(embedder, "这台泵怎么维护？", text, PUMP, PRESS)
    assert [sentence.supported for sentence in found.sentences] == [True]
    assert [citation.quote for citation in found.citations] == [quote]


def test_what_chinese_evidence_says_is_supported_in_english(embedder: E5Embedder) -> None:
    said = "A lost library card must be reported to the service desk at once [1]."
    found = checked(embedder, "What if I lose my card?", said, LIBRARY)
    assert [sentence.supported for sentence in found.sentences] == [True]
    assert [citation.quote for citation in found.citations] == ["借书证遗失后应立即到服务台挂失。"]


def test_a_number_that_evidence_in_another_language_does_not_have_is_not_supported(
    embedder: E5Embedder,
) -> None:
    found = checked(embedder, "这台泵怎么维护？", "滤芯每 500 小时更换一次[1]。", PUMP, PRESS)
    assert [sentence.supported for sentence in found.sentences] == [False]


@pytest.mark.parametrize(
    "text", ["这台泵的保修期由经销商决定[1]。", "出现漏油时请联系厂家的售后部门[1]。"]
)
def test_another_fact_is_not_supported_by_evidence_in_another_language(
    embedder: E5Embedder, text: str
) -> None:
    found = checked(embedder, "这台泵怎么维护？", text, PUMP, PRESS)
    assert [sentence.supported for sentence in found.sentences] == [False]


def test_a_marker_at_nothing_of_the_kind_goes_to_what_says_something_of_it(
    embedder: E5Embedder,
) -> None:
    about = "本手册用于查制度、查产品说明。\n先搜索，再提问，就能得到带引用的回答。"
    rule = "申请须提前三个工作日提交。\n当年未休完的年假可以结转到下一年，最多结转五天。"
    found = checked(embedder, "年假可以留到明年吗？", "可以留到明年[1]。", about, rule)
    (citation,) = found.citations
    assert (citation.marker, citation.quote) == (
        2,
        "当年未休完的年假可以结转到下一年，最多结转五天。",
    )


def test_the_sentence_that_answers_is_found_in_another_language_beside_words_of_the_question(
    embedder: E5Embedder,
) -> None:
    hits = []
    for name, language, text in (("library", "zh", LIBRARY), ("meters", "en", METERS)):
        chunk = Chunk(id=name, document_id=name, text=text, start=0, end=len(text))
        document = DocumentInfo(id=name, source=name, title="", language=language)
        hits.append(Hit(chunk=chunk, document=document, score=1.0, origin=Origin.FUSED))
    question = "How many books may a reader take home?"
    typical = typical_questions(embedder.fingerprint)
    chosen = asyncio.run(select(question, hits, embedder, 20, typical=typical))
    assert [item.text for item in chosen.evidence] == ["每位读者最多可以借十二本书。"]


def test_a_row_of_a_table_bears_out_a_sentence_in_another_language(embedder: E5Embedder) -> None:
    said = "After 20 years you get 15 days of annual leave [1]."
    found = checked(embedder, "How many days of annual leave do I get?", said, LEAVE)
    assert [citation.quote for citation in found.citations] == ["| 满 20 年 | 15 天 |"]
    assert [sentence.supported for sentence in found.sentences] == [True]


HOTELS = (
    "出差住宿费按下表执行。\n\n| 城市 | 总监 | 部门经理 | 员工 |\n| --- | --- | --- | --- |\n"
    "| 北京、上海 | 900元 | 700元 | 500元 |\n| 杭州、南京 | 750元 | 550元 | 400元 |"
)


@pytest.mark.parametrize(
    ("text", "supported"),
    [
        ("部门经理去杭州出差，住宿费每晚550元[1]。", True),
        ("部门经理去杭州出差，住宿费每晚700元[1]。", False),
        ("部门经理去杭州出差，住宿费每晚400元[1]。", False),
        ("700元[1]。", False),
    ],
)
def test_a_number_of_another_cell_does_not_bear_an_answer_out(
    embedder: E5Embedder, text: str, *, supported: bool
) -> None:
    found = checked(embedder, "部门经理去杭州出差，住宿费是多少？", text, HOTELS, METERS)
    assert [sentence.supported for sentence in found.sentences] == [supported]


LEAVES = (
    "第六条 年休假：累计工作已满1年不满10年的，年休假5天；已满10年不满20年的，年休假10天；"
    "已满20年的，年休假15天。\n\n第七条 婚假：员工结婚可享受婚假10天。"
)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("员工已满10年不满20年的，年休假10天[1]。", "已满10年不满20年的，年休假10天；"),
        ("工作满20年的，年休假为15天[1]。", "已满20年的，年休假15天。"),
    ],
)
def test_of_clauses_that_differ_in_their_numbers_the_right_one_is_quoted(
    embedder: E5Embedder, text: str, quoted: str
) -> None:
    found = checked(embedder, "工作了12年有几天年假？", text, LEAVES, LIBRARY)
    assert [quoted in citation.quote for citation in found.citations] == [True]
