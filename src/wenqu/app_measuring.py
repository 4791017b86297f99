"""Measuring what is served: evaluation, and what is learned from a user's examples."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wenqu.options import SearchOptions
from wenqu.types import Origin, Query

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wenqu.app_parts import AppParts
    from wenqu.evaluation.report import EvalReport, Ranking
    from wenqu.pipeline.ingest import FileOutcome

__all__ = ["Measuring"]


class Measuring:
    """Runs evaluation on the pipeline that users get; reached as ``app.measuring``.

    Args:
        app: Whose pipeline it is.
    """

    def __init__(self, app: AppParts) -> None:
        self._app = app

    async def evaluate(
        self,
        folder: Path,
        *,
        corpus: str = "corpus.jsonl",
        on_progress: Callable[[str, int, int], None] = lambda *_: None,
    ) -> EvalReport:
        """Measure retrieval on a data set, with the search that users get.

        Its corpus becomes the knowledge base ``eval-NAME``, made once and kept.

        Args:
            folder: The data set.
            corpus: Which corpus file of it to take.
            on_progress: Told of a phase ("documents", "queries"), how many are done, of how many.

        Raises:
            NotFoundError: A file of the set is not there.
            InputError: The set is malformed.
        """
        from wenqu.evaluation.datasets import load_dataset
        from wenqu.evaluation.report import evaluate, rankings

        dataset = await asyncio.to_thread(lambda: load_dataset(folder, corpus=corpus))
        stem = corpus.removesuffix(".gz").removesuffix(".jsonl")
        suffix = "" if stem == "corpus" else f"-{stem}"
        base = await self._app.ensure_base(f"eval-{dataset.name}{suffix}")
        done = 0

        def count(_: FileOutcome) -> None:
            nonlocal done
            done += 1
            on_progress("documents", done, len(dataset.documents))

        ingester = await self._app.ingester(None, base)
        await ingester.replace_all(base.id, dataset.documents, count)
        retriever = await self._app.retriever()

        async def search(question: str) -> dict[Origin, Ranking]:
            top = 3 * self._app.settings.retrieval.candidates
            return rankings(
                await retriever.search(base.id, Query(text=question), SearchOptions(top=top))
            )

        return await evaluate(
            dataset, search, on_progress=lambda done, of: on_progress("queries", done, of)
        )
