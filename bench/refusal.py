"""Refusal near the topic, against the best similarity threshold of the same run: ADR 0006.

    python bench/refusal.py --data DIR --models DIR [--sets clapnq cmrc2018 …]

ClapNQ has 300 questions that its passages answer and 300 that they do not; of each other set half
of the documents are taken away. A row each for the largest dense score with the threshold of the
best F1, as HuixiangDou chooses it; for the gate as ``wenqu gate fit`` fits it, both with thresholds
and weights from other folds than the question's; and for the gate as it ships.
"""

from __future__ import annotations

import asyncio
from time import process_time
from typing import TYPE_CHECKING

from corpora import arguments, open_lab
from gate_lab import SETS, hard_questions
from wenqu.evaluation.calibrate import calibrate

if TYPE_CHECKING:
    import argparse

    from wenqu.evaluation.refusal import RefusalMetrics


def row(title: str, metrics: RefusalMetrics, other: RefusalMetrics) -> str:
    """Return a row with how much of another's error is gone."""
    gone_auc = 1 - (1 - (metrics.auc or 0)) / max(1e-9, 1 - (other.auc or 0))
    gone_f1 = 1 - (1 - metrics.answer_f1) / max(1e-9, 1 - other.answer_f1)
    return (
        f"{title:12} AUC {metrics.auc:.3f} ({gone_auc:+.0%} of the error gone)"
        f"  F1 {metrics.answer_f1:.3f} ({gone_f1:+.0%})  refusal F1 {metrics.refusal_f1:.3f}"
        f"  answered {metrics.answer_recall:.2f} / {metrics.wrongly_answered:.2f}"
    )


async def main(options: argparse.Namespace) -> None:
    """Ask, fit, print."""
    lab = open_lab(options)
    for name in options.sets:
        begun = process_time()
        asked = [one.example for one in await hard_questions(lab, name)]
        found = calibrate(asked)
        print(f"\n{name}: {found.accepted} answerable, {found.rejected} not")
        print(row("similarity", found.similarity, found.similarity))
        print(row("fitted", found.fitted, found.similarity))
        print(row("ships", found.shipped, found.similarity))
        print(
            f"{1e3 * (process_time() - begun) / len(asked):.1f} ms of processor a question, in all"
        )


if __name__ == "__main__":
    parser: argparse.ArgumentParser = arguments(__doc__ or "")
    parser.add_argument("--sets", nargs="*", default=list(SETS), help="data sets to ask")
    asyncio.run(main(parser.parse_args()))
