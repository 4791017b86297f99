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
