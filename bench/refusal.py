"""Refusal near the topic, against the best similarity threshold of the same run: ADR 0006.

    python bench/refusal.py --data DIR --models DIR [--sets clapnq cmrc2018 …] [--near]
    python bench/refusal.py --data DIR --models DIR --sets clapnq --answers 60

ClapNQ has 300 questions that its passages answer and 300 that they do not; of each other set half
of the documents are taken away. With ``--near``, every other question is asked without its own
documents, and all others are there. A row each for the largest dense score with the threshold of
the best F1, as HuixiangDou chooses it; for the gate as ``wenqu gate fit`` fits it, both with
thresholds and weights from other folds than the question's; and for the gate as it ships.

With ``--answers``, as many questions of each kind that pass the gate are answered by the local chat
model, and what it says it does not know is a refusal too: what a user sees. Replies are kept in
``--cache``; ``--minutes`` ends a run that another one goes on with.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from time import monotonic, process_time
from typing import TYPE_CHECKING

from citation_quality import Cache, KeptChat
from corpora import arguments, open_lab
from gate_lab import SETS, hard, near
from wenqu.evaluation.calibrate import calibrate
from wenqu.models.llamacpp import LlamaCppChat
from wenqu.pipeline.answer import Answerer
from wenqu.types import AnswerFinished, Outcome, SearchHits, Trace

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from corpora import Lab
    from gate_lab import Posed
    from wenqu.evaluation.refusal import RefusalMetrics

CHAT = "qwen2.5-coder-1.5b-instruct-q4_k_m"


@dataclass(frozen=True, slots=True)
class Passing:
    """What became of the questions of one kind: how many there are, and how many pass the gate."""

    kind: str
    asked: int
    passed: int
    outcomes: Counter[Outcome]

    @property
    def answered(self) -> float:
        """Share of all that get an answer, where the model's share holds for all that pass."""
        share = self.outcomes[Outcome.ANSWERED] / max(1, self.outcomes.total())
        return self.passed / self.asked * share

    def __str__(self) -> str:
        said = ", ".join(f"{count} {one.name.lower()}" for one, count in self.outcomes.items())
        return (
            f"{self.kind:12} {self.passed} of {self.asked} pass the gate; of"
            f" {self.outcomes.total()} that the model was asked {said};"
            f" answered in all {self.answered:.2f}"
        )


def row(title: str, metrics: RefusalMetrics, other: RefusalMetrics) -> str:
    """Return a row with how much of another's error is gone."""
    gone_auc = 1 - (1 - (metrics.auc or 0)) / max(1e-9, 1 - (other.auc or 0))
    gone_f1 = 1 - (1 - metrics.answer_f1) / max(1e-9, 1 - other.answer_f1)
    return (
        f"{title:12} AUC {metrics.auc:.3f} ({gone_auc:+.0%} of the error gone)"
        f"  F1 {metrics.answer_f1:.3f} ({gone_f1:+.0%})  refusal F1 {metrics.refusal_f1:.3f}"
        f"  answered {metrics.answer_recall:.2f} / {metrics.wrongly_answered:.2f}"
    )


def compare(posed: Sequence[Posed]) -> None:
    """Fit, and print a row for each way to refuse."""
    found = calibrate([one.example for one in posed])
    print(row("similarity", found.similarity, found.similarity))
    print(row("fitted", found.fitted, found.similarity))
    print(row("ships", found.shipped, found.similarity))


async def answer(lab: Lab, posed: Sequence[Posed], options: argparse.Namespace) -> None:
    """Have questions that pass the gate answered in turn, and print what became of them."""
    until = monotonic() + 60 * options.minutes
    local = LlamaCppChat(options.models / f"{CHAT}.gguf", name=CHAT)
    chat = KeptChat(local, Cache(options.cache / "refusal.sqlite"))
    answerer = Answerer(embedder=lab.embedder, chat=chat, gate=None, max_tokens=160)  # type: ignore[arg-type]
    kinds = list(dict.fromkeys(one.kind for one in posed))
    passing = {
        kind: [one for one in posed if one.kind == kind and one.example.decision.outcome is None]
        for kind in kinds
    }
    outcomes: dict[str, Counter[Outcome]] = {kind: Counter() for kind in kinds}
    for turn in zip(*(passing[kind][: options.answers] for kind in kinds), strict=False):
        for one in turn if monotonic() < until else ():
            search = SearchHits(hits=tuple(one.hits), trace=Trace())
            async for event in answerer.answer(one.text, search):
                if isinstance(event, AnswerFinished):
                    outcomes[one.kind][event.answer.outcome] += 1
    await local.close()
    found = [
        Passing(kind, sum(one.kind == kind for one in posed), len(passing[kind]), outcomes[kind])
        for kind in kinds
    ]
    for one in found:
        print(one)
    whole(*found)


def whole(own: Passing, other: Passing) -> None:
    """Print F1 of answering by the gate alone, and by the gate and the model together."""
    for title, right, wrong in (
        ("gate alone", own.passed, other.passed),
        ("with model", own.answered * own.asked, other.answered * other.asked),
    ):
        f1 = 2 * right / (right + wrong + own.asked)
        kept, lost = other.asked - wrong, own.asked - right
        refusal = 2 * kept / (kept + lost + other.asked)
        print(f"{title:12} F1 {f1:.3f}  refusal F1 {refusal:.3f}")


async def main(options: argparse.Namespace) -> None:
    """Ask, fit, print."""
    lab = open_lab(options)
    for name in options.sets:
        begun = process_time()
        posed = await (near if options.near else hard)(lab, name)
        counts = Counter(one.kind == "own" for one in posed)
        print(f"\n{name}: {counts[True]} answerable, {counts[False]} not")
        if options.answers:
            await answer(lab, posed, options)
        else:
            compare(posed)
            took = 1e3 * (process_time() - begun) / len(posed)
            print(f"{took:.1f} ms of processor a question, in all")


if __name__ == "__main__":
    parser: argparse.ArgumentParser = arguments(__doc__ or "")
    parser.add_argument("--sets", nargs="*", default=list(SETS), help="data sets to ask")
    parser.add_argument("--near", action="store_true", help="take a question's own documents only")
    parser.add_argument("--answers", type=int, default=0, help="questions of a kind to answer")
    parser.add_argument("--minutes", type=float, default=60.0, help="longest time for answers")
    asyncio.run(main(parser.parse_args()))
