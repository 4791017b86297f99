"""Trying settings of retrieval on a knowledge base, each with the very search it would give."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from wenqu.evaluation.tune import CHUNK_TOKENS, Setting, grid, tuned
from wenqu.options import SearchOptions
from wenqu.types import Query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from wenqu.app_parts import AppParts
    from wenqu.evaluation.datasets import Dataset
    from wenqu.evaluation.tune import Tuning
    from wenqu.protocols import Embedder, Vectors
    from wenqu.types import Document, KnowledgeBase

    Progress = Callable[[str, int, int], None]

__all__ = ["TuneCost", "TuneOptions", "tune", "tuning_cost"]

_HITS = 50  # chunks, so that ten documents are among them
_MS_A_SEARCH = 40
_MS_A_RERANK = 150
_CHARACTERS_A_SECOND = 2500
"""What the default embedder does on two cores, to say beforehand what is to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneOptions:
    """What to try: ``chunk_tokens`` beside the present size, each of which embeds all again."""

    metric: str = "nDCG@10"
    chunk_tokens: tuple[int, ...] = CHUNK_TOKENS
    drafts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneCost:
    """What tuning will do: ``characters`` are to be cut and embedded anew, for all sizes."""

    questions: int
    settings: int
    searches: int
    characters: int
    minutes: float


async def tuning_cost(
    app: AppParts, base: KnowledgeBase, dataset: Dataset, how: TuneOptions
) -> TuneCost:
    """Return what ``tune`` will cost, roughly: it depends on the machine."""
    plan = await _plan(app, base, how)
    present = plan[0]
    searches = len(plan) * len(dataset.judged)
    sizes = {one.chunk_tokens for one in plan} - {present.chunk_tokens}
    characters = len(sizes) * base.characters
    each = _MS_A_SEARCH + (_MS_A_RERANK if present.rerank else 0)
    seconds = searches * each / 1000 + characters / _CHARACTERS_A_SECOND
    return TuneCost(
        questions=len(dataset.judged),
        settings=len(plan),
        searches=searches,
        characters=characters,
        minutes=seconds / 60,
    )


async def tune(
    app: AppParts,
    base: KnowledgeBase,
    dataset: Dataset,
    how: TuneOptions,
    *,
    on_progress: Progress = lambda *_: None,
) -> Tuning:
    """Try settings on the questions of a knowledge base; see ``evaluation.tune``.

    Other chunk sizes are tried on copies, which are deleted at the end.

    Args:
        app: Whose pipeline it is.
        base: The knowledge base, which is left as it is.
        dataset: Its questions.
        how: What to try.
        on_progress: Told of a phase ("documents", "searches"), how many are done, of how many.

    Raises:
        InputError: There are too few questions to choose by.
    """
    plan = await _plan(app, base, how)
    embedder = _Remembering(await app.embedder())
    await app.projector()  # so that all variants share it
    values: dict[Setting, list[float]] = {}
    sizes = list(dict.fromkeys(setting.chunk_tokens for setting in plan))
    for tokens in sizes:
        async with _copy(app, base, tokens, plan[0], on_progress) as kb:
            for setting in [one for one in plan if one.chunk_tokens == tokens]:
                values[setting] = await _values(app, kb, dataset, setting, embedder, how.metric)
                on_progress("searches", len(values), len(plan))
    return tuned(values, plan[0], how.metric)


async def _plan(app: AppParts, base: KnowledgeBase, how: TuneOptions) -> list[Setting]:
    retrieval = app.settings.retrieval
    reranks = await app.reranking() is not None
    present = Setting(
        chunk_tokens=app.chunking(base).max_tokens,
        lexical_weight=retrieval.lexical_weight,
        candidates=retrieval.candidates,
        rerank=reranks,
    )
    return grid(present, how.chunk_tokens, reranker=reranks)


async def _values(
    app: AppParts,
    kb: int,
    dataset: Dataset,
    setting: Setting,
    embedder: Embedder,
    metric: str,
) -> list[float]:
    """Return the metric of each judged question under a setting."""
    from wenqu.evaluation.metrics import measure_each, run_of

    retrieval = app.settings.retrieval.model_copy(
        update={"lexical_weight": setting.lexical_weight, "candidates": setting.candidates}
    )
    # Opened here, so that what the variant shares is closed with the app.
    await app.projector()
    await app.reranking()
    varied = app.varied(app.settings.model_copy(update={"retrieval": retrieval}), embedder)
    retriever = await varied.retriever()
    wanted = SearchOptions(top=_HITS, rerank=setting.rerank)
    orders: dict[str, list[str]] = {}
    for query in dataset.judged:
        found = await retriever.search(kb, Query(text=query.text), wanted)
        orders[query.id] = list(dict.fromkeys(hit.document.id for hit in found.hits))
    qrels = {query.id: dataset.qrels[query.id] for query in dataset.judged}
    each = measure_each(qrels, run_of(orders))
    return [each[query.id][metric] for query in dataset.judged]


@asynccontextmanager
async def _copy(
    app: AppParts, base: KnowledgeBase, tokens: int, present: Setting, on_progress: Progress
) -> AsyncIterator[int]:
    """Give the id of the knowledge base, or of a copy of it that is cut otherwise."""
    if tokens == present.chunk_tokens:
        yield base.id
        return
    from wenqu.indexes.local import discard

    name = f"tune-{base.id}-{tokens}"
    copy = await app.ensure_base(name)
    try:
        copy = await app.bases.configure(name, replace(base.settings, chunk_tokens=tokens))
        documents = await _documents(app, base.id)
        done = 0

        def count(_: object) -> None:
            nonlocal done
            done += 1
            on_progress("documents", done, len(documents))

        await (await app.ingester(None, copy)).replace_all(copy.id, documents, count)
        yield copy.id
    finally:
        await app.bases.delete(name)
        await asyncio.to_thread(discard, app.indexes_dir / str(copy.id))


async def _documents(app: AppParts, kb: int) -> Sequence[Document]:
    infos = await app.documents.documents(kb)
    return [await app.documents.document(kb, info.id) for info in infos]


class _Remembering:
    """An embedder that embeds each question once, however many settings are tried."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self._known: dict[tuple[str, ...], Vectors] = {}

    @property
    def fingerprint(self) -> str:
        return self._inner.fingerprint

    @property
    def dimension(self) -> int:
        return self._inner.dimension

    @property
    def max_tokens(self) -> int:
        return self._inner.max_tokens

    def token_starts(self, text: str) -> Sequence[int]:
        return self._inner.token_starts(text)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        if kind != "query":
            return await self._inner.embed(texts, kind)
        key = tuple(texts)
        if key not in self._known:
            self._known[key] = await self._inner.embed(texts, kind)
        return self._known[key]
