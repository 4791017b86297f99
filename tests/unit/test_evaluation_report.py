"""Running a data set through a search."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from wenqu.evaluation.datasets import Dataset, EvalQuery
from wenqu.evaluation.report import EvalReport, Ranking, evaluate
from wenqu.types import Document, Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

DATASET = Dataset(
    name="tiny",
    documents=tuple(
        Document(id=name, source=name, title="", text=name, language="en") for name in "ab"
    ),
    queries=(
        EvalQuery(id="1", text="first"),
        EvalQuery(id="2", text="second"),
        EvalQuery(id="3", text="no answer", answerable=False),
    ),
    qrels={"1": {"a": 1}, "2": {"b": 1}, "3": {"a": 1}},
)


class Search:
    """Finds document a first, whatever is asked; the dense side finds both."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, question: str) -> Mapping[Origin, Ranking]:
        self.asked.append(question)
        return {
            Origin.LEXICAL: Ranking(hits=[("a", 3.0)], ms=1.0),
            Origin.FUSED: Ranking(hits=[("a", 0.9), ("a", 0.8), ("b", 0.7)], ms=4.0),
        }


def _report() -> EvalReport:
    return asyncio.run(evaluate(DATASET, Search()))


def test_the_report_has_the_shape_that_is_promised() -> None:
    perfect_and_lost = {
        "recall@1": 0.5,
        "recall@5": 0.5,
        "recall@10": 0.5,
        "MRR@10": 0.5,
        "nDCG@10": 0.5,
        "ms_per_query": 1.0,
    }
    fused = {
        "recall@1": 0.5,
        "recall@5": 1.0,
        "recall@10": 1.0,
        "MRR@10": 0.75,
        "nDCG@10": 0.8155,
        "ms_per_query": 4.0,
    }
    report = json.loads(json.dumps(_report().to_json()))
    assert report == {
        "dataset": "tiny",
        "documents": 2,
        "queries": 2,
        "runs": {"lexical": perfect_and_lost, "fused": fused},
    }


def test_every_row_has_a_cell_for_every_column() -> None:
    report = _report()
    assert {len(row) for row in report.rows()} == {len(report.header())}
    assert [row[0] for row in report.rows()] == ["lexical", "fused"]


def test_unanswerable_queries_are_not_asked_and_the_warm_up_is_not_counted() -> None:
    search = Search()
    report = asyncio.run(evaluate(DATASET, search))
    assert search.asked == ["first", "first", "second"]
    assert report.queries == 2


def test_progress_is_told_after_each_query() -> None:
    told: list[tuple[int, int]] = []
    asyncio.run(evaluate(DATASET, Search(), on_progress=lambda done, of: told.append((done, of))))
    assert told == [(1, 2), (2, 2)]
