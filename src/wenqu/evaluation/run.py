"""Asks every question of a data set and keeps what came of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from wenqu.evaluation.answers import Quoted, answer_values, citation_values
from wenqu.evaluation.metrics import documents_of, measure_each, run_of
from wenqu.evaluation.record import Found, GateRecord, MeasuredAnswer, QueryRecord
from wenqu.types import Origin, Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from wenqu.evaluation.datasets import Dataset, EvalQuery
    from wenqu.types import Answer, DocumentInfo, Hit, SearchHits

__all__ = ["Pipeline", "Ranking", "grounded", "rankings", "run_queries", "served"]

_SHOWN = 3  # documents that a report shows of a question that went wrong
_SHOWN_TEXT = 160


class _Verdict(Protocol):
    @property
    def outcome(self) -> Outcome | None: ...

    @property
    def reason(self) -> str: ...

    @property
    def probability(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What one origin answered to one query.

    ``hits`` has one (document id, score) a chunk, best first; ``ms`` is what a search by that
    origin alone would have cost: for dense, with embedding the query; for fused, all of it.
    """

    hits: Sequence[tuple[str, float]]
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What is measured: the parts that users get.

    Args:
        search: A question → every candidate, in the order that is served.
        gate: The decision on a question and its hits; None measures no refusals.
        answer: A question → its answer; None measures none.
        answers: How many of the questions are answered, from the first on; None answers all.
    """

    search: Callable[[str], Awaitable[SearchHits]]
    gate: Callable[[str, Sequence[Hit]], Awaitable[_Verdict]] | None = None
    answer: Callable[[str], Awaitable[Answer]] | None = None
    answers: frozenset[str] | None = None


async def run_queries(
    dataset: Dataset,
    pipeline: Pipeline,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[QueryRecord, ...]:
    """Ask the questions of ``dataset`` one after another.

    One is asked beforehand and not counted, so that loading a model is nobody's latency. Questions
    that tell nothing, being neither judged nor wanted for refusals or answers, are left out.

    Args:
        dataset: What to ask, and what should be found.
        pipeline: What to ask it of.
        on_progress: Told how many questions are done, and of how many.
    """
    work = _Work(dataset=dataset, pipeline=pipeline)
    wanted = [query for query in dataset.queries if work.is_wanted(query)]
    if wanted:
        await pipeline.search(wanted[0].text)
    records: list[QueryRecord] = []
    for done, query in enumerate(wanted, start=1):
        records.append(await work.asked(query))
        if on_progress is not None:
            on_progress(done, len(wanted))
    return tuple(work.with_values(records))


@dataclass(slots=True)
class _Work:
    """A run in work; ``orders`` has the documents that each origin found for each question."""

    dataset: Dataset
    pipeline: Pipeline
    orders: dict[Origin, dict[str, list[str]]] = field(default_factory=dict)
    judged: frozenset[str] = field(init=False)
    infos: Mapping[str, DocumentInfo] = field(init=False)

    def __post_init__(self) -> None:
        self.judged = frozenset(query.id for query in self.dataset.judged)
        self.infos = self.dataset.infos

    def is_wanted(self, query: EvalQuery) -> bool:
        return query.id in self.judged or self.pipeline.gate is not None or self._is_answered(query)

    async def asked(self, query: EvalQuery) -> QueryRecord:
        found = await self.pipeline.search(query.text)
        record = QueryRecord(id=query.id, text=query.text, answerable=query.answerable)
        if query.id in self.judged:
            record = record.model_copy(update=self._ranked(query, found))
        if self.pipeline.gate is not None:
            verdict = await self.pipeline.gate(query.text, found.hits)
            gate = GateRecord(
                answered=verdict.outcome is None,
                probability=round(verdict.probability, 6),
                reason=verdict.reason,
                likeness=round(
                    max((hit.scores.get(Origin.DENSE, 0.0) for hit in found.hits), default=0.0), 6
                ),
            )
            record = record.model_copy(update={"gate": gate})
        if self.pipeline.answer is not None and self._is_answered(query):
            answer = _judged(await self.pipeline.answer(query.text), query, self._relevant(query))
            record = record.model_copy(update={"answer": answer})
        return record

    def with_values(self, records: Sequence[QueryRecord]) -> Iterator[QueryRecord]:
        """Yield the records with their retrieval metrics, which are computed all at once."""
        values = {
            origin: measure_each(
                {query: self.dataset.qrels[query] for query in found}, run_of(found)
            )
            for origin, found in self.orders.items()
        }
        for record in records:
            own = {
                origin: {name: round(value, 6) for name, value in each[record.id].items()}
                for origin, each in values.items()
                if record.id in each
            }
            yield record.model_copy(update={"values": own})

    def _is_answered(self, query: EvalQuery) -> bool:
        if self.pipeline.answer is None:
            return False
        return self.pipeline.answers is None or query.id in self.pipeline.answers

    def _relevant(self, query: EvalQuery) -> frozenset[str]:
        if not query.answerable:
            return frozenset()
        grades = self.dataset.qrels.get(query.id, {})
        return frozenset(document for document, grade in grades.items() if grade > 0)

    def _ranked(self, query: EvalQuery, found: SearchHits) -> dict[str, object]:
        """Return the fields of a record that searching fills, and keep the orders."""
        relevant = self._relevant(query)
        ranks: dict[Origin, tuple[int, ...]] = {}
        ms: dict[Origin, float] = {}
        for origin, ranking in rankings(found).items():
            order = [document for document, _ in documents_of(ranking.hits)]
            self.orders.setdefault(origin, {})[query.id] = order
            ranks[origin] = tuple(at for at, one in enumerate(order, start=1) if one in relevant)
            ms[origin] = round(ranking.ms, 3)
        fields: dict[str, object] = {"relevant": len(relevant), "ranks": ranks, "ms": ms}
        if not found.hits or found.hits[0].document.id not in relevant:
            fields["found"] = _first_documents(found.hits)
            fields["wanted"] = tuple(
                Found(source=self.infos[one].source, title=self.infos[one].title)
                for one in sorted(relevant)[:_SHOWN]
            )
        return fields


def rankings(found: SearchHits) -> dict[Origin, Ranking]:
    """Return what each origin found, with what a search by it alone would have cost.

    ``found`` must hold every candidate, not only the best few of one origin. Where a reranker may
    run, the reranked order is the one that was served, also where it ran out of time.
    """
    ms = {stage.name: 0.0 for stage in found.trace.stages}
    for stage in found.trace.stages:
        ms[stage.name] += stage.ms
    lexical, dense = ms.get("lexical", 0.0), ms.get("dense", 0.0)
    by_meaning = ms.get("embed", 0.0) + dense
    shared = ms.get("index", 0.0) + ms.get("fetch", 0.0)
    cost = {
        Origin.LEXICAL: shared + lexical,
        Origin.DENSE: shared + by_meaning,
        # Words and meaning are looked up at the same time, words in another language after that.
        Origin.FUSED: shared
        + max(lexical, by_meaning)
        + ms.get("translated", 0.0)
        + ms.get("fuse", 0.0),
    }
    ranked = {origin: Ranking(hits=_by(found, origin), ms=cost[origin]) for origin in cost}
    if any(stage.name == "rerank" for stage in found.trace.stages):
        whole = cost[Origin.FUSED] + ms["rerank"]
        ranked[Origin.RERANKED] = Ranking(hits=_served(found), ms=whole)
    return ranked


def served(queries: Sequence[QueryRecord]) -> Origin:
    """Return whose ranking users get: that of the last stage that ran for every question."""
    judged = [query for query in queries if query.values]
    everywhere = [
        origin for origin in Origin if judged and all(origin in one.values for one in judged)
    ]
    return everywhere[-1] if everywhere else Origin.FUSED


def _by(found: SearchHits, origin: Origin) -> list[tuple[str, float]]:
    scored = [hit for hit in found.hits if origin in hit.scores]
    scored.sort(key=lambda hit: (-hit.scores[origin], hit.chunk.id))
    return [(hit.document.id, hit.scores[origin]) for hit in scored]


def _served(found: SearchHits) -> list[tuple[str, float]]:
    # Those past the reranker's reach follow with scores of another kind: ranks are what counts.
    return [(hit.document.id, -float(rank)) for rank, hit in enumerate(found.hits)]


def _first_documents(hits: Sequence[Hit]) -> tuple[Found, ...]:
    first: dict[str, Hit] = {}
    for hit in hits:
        if len(first) == _SHOWN:
            break
        first.setdefault(hit.document.id, hit)
    return tuple(
        Found(
            source=hit.document.source,
            title=hit.document.title,
            text=" ".join(hit.chunk.text.split())[:_SHOWN_TEXT],
        )
        for hit in first.values()
    )


def _judged(answer: Answer, query: EvalQuery, documents: frozenset[str]) -> MeasuredAnswer:
    """Return an answer as it is kept, with how right it is."""
    record = MeasuredAnswer(
        outcome=answer.outcome,
        text=answer.text,
        ms=round(answer.trace.timings_ms["total"], 1),
        model=answer.model,
        right=query.answers,
        cited=len(answer.citations),
    )
    if answer.outcome is not Outcome.ANSWERED:
        # A refusal says no right answer and cites nothing; how many there are is told apart.
        return record
    cited = [Quoted(quote=one.quote, document=one.hit.document.id) for one in answer.citations]
    return record.model_copy(
        update={
            "values": answer_values(answer.text, query.answers) if query.answers else {},
            "citations": citation_values(cited, query.passages, query.answers, documents),
            "grounded": grounded(answer),
            "unsupported": tuple(one.text for one in answer.sentences if one.supported is False),
        }
    )


def grounded(answer: Answer) -> float | None:
    """Return the share of an answer's sentences that claim something and are borne out.

    None where no sentence claims anything.
    """
    verdicts = [one.supported for one in answer.sentences if one.supported is not None]
    return sum(verdicts) / len(verdicts) if verdicts else None
