"""From the questions of a run to its figures."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from wenqu.evaluation.datasets import Dataset, EvalQuery
from wenqu.evaluation.record import EvalRecord
from wenqu.evaluation.report import EvalReport, recall_curve
from wenqu.evaluation.run import Pipeline, rankings, run_queries, served
from wenqu.types import (
    Answer,
    CheckedSentence,
    Chunk,
    Citation,
    Document,
    Hit,
    Origin,
    Outcome,
    SearchHits,
    Span,
    Stage,
    Trace,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

DATASET = Dataset(
    name="tiny",
    documents=tuple(
        Document(id=name, source=f"{name}.md", title=name.upper(), text=name, language="en")
        for name in "ab"
    ),
    queries=(
        EvalQuery(id="1", text="first", answers=("alpha",), passages=(("It is alpha.",),)),
        EvalQuery(id="2", text="second", answers=("b",)),
        EvalQuery(id="3", text="no answer", answerable=False),
    ),
    qrels={"1": {"a": 1}, "2": {"b": 1}, "3": {"a": 1}},
)
STAGES = tuple(
    Stage(name=name, ms=ms)
    for name, ms in (
        ("index", 1.0),
        ("embed", 4.0),
        ("dense", 2.0),
        ("lexical", 3.0),
        ("fuse", 1.0),
    )
)


def _hit(document: str, place: int, lexical: float, dense: float) -> Hit:
    """A hit whose fused score is the mean of the others."""
    info = next(one for one in DATASET.documents if one.id == document).info
    chunk = Chunk(id=f"{document}{place}", document_id=document, text=document, start=0, end=1)
    scores = {
        Origin.LEXICAL: lexical,
        Origin.DENSE: dense,
        Origin.FUSED: (lexical + dense) / 2,
    }
    return Hit(
        chunk=chunk,
        document=info,
        score=scores[Origin.FUSED],
        origin=Origin.FUSED,
        scores={origin: score for origin, score in scores.items() if score},
    )


# Words find only a; meaning finds b best; together a stays first.
HITS = (_hit("a", 1, 1.0, 0.5), _hit("a", 2, 0.9, 0.4), _hit("b", 1, 0.0, 0.9))


class Search:
    """Finds the same, whatever is asked."""

    def __init__(self, stages: tuple[Stage, ...] = STAGES) -> None:
        self.asked: list[str] = []
        self._stages = stages

    async def __call__(self, question: str) -> SearchHits:
        self.asked.append(question)
        return SearchHits(hits=HITS, trace=Trace(stages=self._stages))


class Verdict:
    def __init__(self, *, answers: bool) -> None:
        self.outcome = None if answers else Outcome.OUT_OF_SCOPE
        self.reason = "gate.answered" if answers else "gate.out_of_scope"
        self.probability = 0.9 if answers else 0.1


async def _gate(question: str, hits: Sequence[Hit]) -> Verdict:
    assert hits == HITS
    return Verdict(answers=question == "first")


async def _answer(question: str) -> Answer:
    if question == "second":
        return Answer(outcome=Outcome.OUT_OF_SCOPE, text="Not covered.", language="en")
    hit = HITS[0]
    citation = Citation(
        marker=1,
        hit=hit,
        sentence="It is alpha.",
        quote="alpha",
        span=Span(start=0, end=1),
        supported=True,
    )
    trace = Trace(stages=(Stage(name="write", ms=40.0),))
    return Answer(
        outcome=Outcome.ANSWERED,
        text="It is alpha [1]. Nobody knows why.",
        language="en",
        citations=(citation,),
        sentences=(
            CheckedSentence(span=Span(start=0, end=16), text="It is alpha.", supported=True),
            CheckedSentence(span=Span(start=17, end=33), text="Nobody knows why.", supported=False),
            CheckedSentence(span=Span(start=33, end=33), text="Namely:", supported=None),
        ),
        trace=trace,
        model="scripted",
    )


def _record(pipeline: Pipeline) -> EvalRecord:
    queries = asyncio.run(run_queries(DATASET, pipeline))
    return EvalRecord(
        date=datetime(2026, 1, 2, tzinfo=UTC),
        version="0",
        dataset="tiny",
        knowledge_base="eval-tiny",
        documents=2,
        served=served(queries),
        queries=queries,
    )


def test_the_report_has_the_shape_that_is_promised() -> None:
    report = json.loads(json.dumps(EvalReport(_record(Pipeline(search=Search()))).to_json()))
    assert {name: report[name] for name in ("dataset", "documents", "queries", "served")} == {
        "dataset": "tiny",
        "documents": 2,
        "queries": 2,
        "served": "fused",
    }
    assert list(report["runs"]) == ["lexical", "dense", "fused"]
    assert report["runs"]["lexical"] == {
        "recall@1": 0.5,
        "recall@5": 0.5,
        "recall@10": 0.5,
        "MRR@10": 0.5,
        "nDCG@10": 0.5,
        "ms_per_query": 4.0,
    }
    assert report["runs"]["fused"] == {
        "recall@1": 0.5,
        "recall@5": 1.0,
        "recall@10": 1.0,
        "MRR@10": 0.75,
        "nDCG@10": 0.8155,
        "ms_per_query": 8.0,
    }
    assert report["success"]["fused"]["success@5"] == 1
    low, high = report["intervals"]["fused"]["recall@1"]
    assert 0 <= low < 0.5 < high <= 1
    assert "refusal" not in report
    assert "answers" not in report


def test_an_origin_costs_what_a_search_by_it_alone_would() -> None:
    found = rankings(SearchHits(hits=HITS, trace=Trace(stages=STAGES)))
    assert {origin: ranking.ms for origin, ranking in found.items()} == {
        Origin.LEXICAL: 4,
        Origin.DENSE: 7,
        Origin.FUSED: 8,
    }
    assert found[Origin.DENSE].hits[0][0] == "b"


def test_where_a_reranker_runs_its_order_is_what_is_served() -> None:
    stages = (*STAGES, Stage(name="rerank", ms=10.0))
    record = _record(Pipeline(search=Search(stages)))
    assert record.served is Origin.RERANKED
    assert record.queries[0].ms[Origin.RERANKED] == 1 + 6 + 1 + 10
    assert record.queries[0].values[Origin.RERANKED]["recall@1"] == 1


def test_questions_that_tell_nothing_are_not_asked_and_the_first_is_asked_before() -> None:
    search = Search()
    record = _record(Pipeline(search=search))
    assert search.asked == ["first", "first", "second"]
    assert [query.id for query in record.queries] == ["1", "2"]


def test_a_question_that_went_wrong_keeps_what_was_wanted_and_what_came_instead() -> None:
    record = _record(Pipeline(search=Search()))
    right, wrong = record.queries
    assert (right.wanted, right.found) == ((), ())
    assert [one.title for one in wrong.wanted] == ["B"]
    assert [one.source for one in wrong.found] == ["a.md", "b.md"]
    assert wrong.ranks[Origin.FUSED] == (2,)
    assert [query.id for query in EvalReport(record).worst()] == ["2"]


def test_the_gate_is_measured_on_all_questions_where_some_are_unanswerable() -> None:
    record = _record(Pipeline(search=Search(), gate=_gate))
    refusal = EvalReport(record).refusal()
    assert refusal["answer_recall"].mean == 0.5
    assert refusal["answer_precision"].mean == refusal["refusal_recall"].mean == 1
    assert refusal["auc"].mean == 0.75
    assert record.queries[2].gate is not None
    assert record.queries[2].gate.reason == "gate.out_of_scope"


def test_answers_are_judged_and_a_refusal_of_an_answerable_question_is_wrong() -> None:
    record = _record(Pipeline(search=Search(), answer=_answer))
    answers = EvalReport(record).answers()
    assert answers is not None
    assert answers.asked == 3
    assert answers.values["contains"].mean == 1
    assert answers.values["contains"].n == 1
    assert answers.right is not None
    assert answers.right.mean == 0.5
    assert answers.outcomes == {Outcome.ANSWERED: 1, Outcome.OUT_OF_SCOPE: 1}
    assert answers.false_outcomes == {Outcome.ANSWERED: 1}
    assert answers.citations["recall"].mean == 1
    assert answers.grounded is not None
    assert answers.grounded.mean == 0.5
    assert record.queries[0].answer is not None
    assert record.queries[0].answer.unsupported == ("Nobody knows why.",)


def test_only_the_chosen_questions_are_answered() -> None:
    pipeline = Pipeline(search=Search(), answer=_answer, answers=frozenset({"2"}))
    answered = [query.id for query in _record(pipeline).queries if query.answer is not None]
    assert answered == ["2"]


def test_every_figure_has_one_name() -> None:
    record = _record(Pipeline(search=Search(), gate=_gate, answer=_answer))
    figures = EvalReport(record).flat()
    assert figures["recall@1"] == figures["fused.recall@1"] == 0.5
    assert figures["lexical.recall@5"] == 0.5
    assert figures["refusal.accuracy"] == pytest.approx(2 / 3)
    assert figures["answers.right"] == 0.5
    assert figures["citations.precision"] == 1


def test_a_recall_curve_rises_to_what_was_found() -> None:
    record = _record(Pipeline(search=Search()))
    points = recall_curve(record, Origin.FUSED)
    assert points[:2] == [(1.0, 0.5), (2.0, 1.0)]
    assert recall_curve(record, Origin.LEXICAL)[-1][1] == 0.5


def test_progress_is_told_after_each_question() -> None:
    told: list[tuple[int, int]] = []
    asyncio.run(
        run_queries(
            DATASET,
            Pipeline(search=Search()),
            on_progress=lambda done, of: told.append((done, of)),
        )
    )
    assert told == [(1, 2), (2, 2)]
