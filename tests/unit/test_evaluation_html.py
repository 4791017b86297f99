"""The page that shows runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from wenqu.evaluation.charts import Row, histogram, interval_chart
from wenqu.evaluation.html import report_page
from wenqu.evaluation.record import EvalRecord, Found, GateRecord, MeasuredAnswer, QueryRecord
from wenqu.evaluation.statistics import Interval
from wenqu.types import Origin, Outcome

EVIL = "<script>alert('x')</script>"
METRICS = ("recall@1", "recall@5", "recall@10", "MRR@10", "nDCG@10")
MORE = ("success@1", "success@5", "success@10")


def _query(at: int) -> QueryRecord:
    answered = at % 2 == 0
    return QueryRecord(
        id=str(at),
        text=f"question {at} {EVIL}",
        answerable=answered,
        relevant=int(answered),
        ranks={Origin.LEXICAL: (3,), Origin.FUSED: (1 + at % 3,)} if answered else {},
        values={
            origin: dict.fromkeys((*METRICS, *MORE), value)
            for origin, value in ((Origin.LEXICAL, 0.25), (Origin.FUSED, 1 / (1 + at % 3)))
        }
        if answered
        else {},
        ms={Origin.LEXICAL: 2.0, Origin.FUSED: 10.0 + at} if answered else {},
        found=(Found(source="wrong.md", title=EVIL, text=EVIL),),
        wanted=(Found(source="right.md"),),
        gate=GateRecord(answered=answered, probability=0.9 - at / 40, reason="gate.answered"),
        answer=MeasuredAnswer(
            outcome=Outcome.ANSWERED if answered else Outcome.OUT_OF_SCOPE,
            text=f"answer {EVIL}",
            ms=120.0 + at,
            right=("gold",),
            values={"contains": 1.0, "f1": 0.5, "rouge_l": 0.5, "exact": 0.0} if answered else {},
            citations={"precision": 1.0, "recall": 0.5} if answered else {},
            grounded=1.0 if answered else None,
        ),
    )


RUN = EvalRecord(
    name="tiny-1",
    date=datetime(2026, 1, 2, tzinfo=UTC),
    version="0",
    dataset="tiny",
    knowledge_base=f"eval-tiny{EVIL}",
    documents=1234,
    answers_by="extractive",
    settings={"retrieval": {"lexical_weight": 0.5}},
    queries=tuple(_query(at) for at in range(12)),
)


class _Checked(HTMLParser):
    """Notes open elements, so that a page that closes what it did not open is found."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in {"meta", "input", "br", "wbr"}:
            self.open.append(tag)
        for name, value in attrs:
            if name in {"src", "href"} or name.startswith("on"):
                self.wrong.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")


def _checked(page: str) -> _Checked:
    parser = _Checked()
    parser.feed(page)
    return parser


def test_a_page_is_well_formed_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    page = report_page([RUN], "en")
    found = _checked(page)
    assert found.wrong == []
    assert found.open == []
    assert "script" not in found.seen
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert "&lt;script&gt;" in page


def test_both_languages_are_in_the_page_and_the_asked_one_is_seen_first() -> None:
    page = report_page([RUN], "zh")
    assert '<html lang="zh">' in page
    assert '<input type="radio" name="language" id="zh" checked>' in page
    zh, en = page.split("<main ")[1:]
    for heading in ("检索", "拒答", "回答", "引用", "耗时", "效果最差的问题", "评测条件"):
        assert f"<h2>{heading}</h2>" in zh
    assert zh.count("<h2>") == en.count("<h2>") == 7
    assert zh.count("<svg") == en.count("<svg") == 5


def test_figures_and_what_they_depended_on_are_shown() -> None:
    page = report_page([RUN], "en")
    assert "1,234" in page
    assert "lexical_weight: 0.5" in page
    assert "tiny-1" in page
    assert "right.md" in page


def test_a_run_of_answers_alone_shows_answers_alone() -> None:
    queries = tuple(
        query.model_copy(update={"values": {}, "ranks": {}, "ms": {}, "gate": None})
        for query in RUN.queries
    )
    page = report_page([RUN.model_copy(update={"queries": queries})], "en")
    assert "<h2>Retrieval</h2>" not in page
    assert "<h2>Answers</h2>" in page


def _dots(svg: str) -> list[float]:
    return [
        float(x) for x in re.findall(r'<circle class="s\d" cx="([\d.]+)" cy="[\d.]+" r="4"><', svg)
    ]


def test_a_better_mean_stands_further_right() -> None:
    rows = [
        Row(
            name=name,
            intervals=[Interval(mean=mean, low=mean - 0.05, high=mean + 0.05, n=9), None],
        )
        for name, mean in (("a", 0.6), ("b", 0.9))
    ]
    low, high = _dots(interval_chart(rows, ["one", "two"], "recall"))
    assert low < high


@pytest.mark.parametrize("values", [[0.0], [5.0] * 3, [float(at) for at in range(500)]])
def test_a_histogram_counts_every_value_once(values: list[float]) -> None:
    svg = histogram(values, "times", "ms")
    counts = [int(count) for count in re.findall(r" ms: (\d+)</title>", svg)]
    assert sum(counts) == len(values)
