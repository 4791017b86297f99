"""Measuring what is served: evaluation, and what is learned from a user's examples."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, Any

from wenqu.errors import InputError, ModelMissingError, NotFoundError
from wenqu.options import AskOptions, SearchOptions
from wenqu.types import AnswerFinished, Query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Iterator, Sequence
    from pathlib import Path

    from wenqu.app_parts import AppParts
    from wenqu.app_tuning import TuneCost, TuneOptions
    from wenqu.evaluation.datasets import Dataset
    from wenqu.evaluation.draft import Draft
    from wenqu.evaluation.record import AnswersBy, EvalRecord
    from wenqu.evaluation.run import Pipeline
    from wenqu.evaluation.saved import SavedRuns
    from wenqu.evaluation.suite import Step, Suite
    from wenqu.evaluation.tune import Tuning
    from wenqu.pipeline.gate import GateDecision
    from wenqu.pipeline.ingest import FileOutcome
    from wenqu.types import Answer, AnswerEvent, Document, Hit, KnowledgeBase, SearchHits

    Ask = Callable[[int, str, AskOptions], AsyncGenerator[AnswerEvent, None]]
    Gate = Callable[[str, Sequence[Hit]], Awaitable[GateDecision]]

__all__ = ["DraftOptions", "EvalOptions", "Measuring"]

Progress = Callable[[str, int, int], None]
_OWN = 0.5
"""Share of a knowledge base's documents that a data set must have for it to be the set's."""
_PRIVATE = ("url", "key", "dir", "home", "host", "port", "token")
"""Ends of names of settings that a saved run does not keep: secrets, and places of a machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions:
    """How to evaluate.

    ``limit`` questions are drawn by ``seed``, the same at each run; None takes all. ``answers``
    says how answers are made that are measured, None measures none; ``answers_limit`` of the
    questions are answered. ``drafts`` takes questions too that no person has accepted yet.
    ``hide`` is a share of a data set's documents that is left out, so that their questions have no
    answer. ``label`` names a data set whose folder's name is not enough, and ``name`` the run.
    """

    corpus: str = "corpus.jsonl"
    limit: int | None = None
    seed: int = 0
    answers: AnswersBy | None = None
    answers_limit: int | None = None
    drafts: bool = False
    hide: float = 0.0
    label: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftOptions:
    """How to draft questions; ``use_llm`` lets the chat model write them, where there is one."""

    number: int = 50
    seed: int = 0
    use_llm: bool = True


class Measuring:
    """Runs evaluation on the pipeline that users get; reached as ``app.measuring``.

    Args:
        app: Whose pipeline it is.
        ask: How it answers a question from a knowledge base, as users get it, keeping no record.
        version: Of wenqu, which saved runs name.
    """

    def __init__(self, app: AppParts, ask: Ask, version: str) -> None:
        self._app = app
        self._ask = ask
        self._version = version

    @cached_property
    def runs(self) -> SavedRuns:
        """The saved runs."""
        from wenqu.evaluation.saved import SavedRuns

        return SavedRuns(self._app.settings.home / "evaluations")

    async def evaluate(
        self,
        folder: Path,
        how: EvalOptions | None = None,
        *,
        on_progress: Progress = lambda *_: None,
    ) -> EvalRecord:
        """Measure a data set with the search, the gate and the answers that users get.

        Its corpus becomes the knowledge base ``eval-NAME``, made once and kept, or another beside
        it where that is another set's. Refusals are measured where the set has questions that its
        corpus does not answer.

        Args:
            folder: The data set.
            how: What to measure.
            on_progress: Told of a phase ("documents", "queries"), how many are done, of how many.

        Raises:
            NotFoundError: A file of the set is not there.
            InputError: The set is malformed.
            ModelMissingError: Answers are to be written, and there is no chat model.
        """
        how = how or EvalOptions()
        dataset = await asyncio.to_thread(_dataset, folder, how)
        base = await self._base_of(dataset, _base_names(folder, dataset.name, how))
        await self._fill(base, dataset, on_progress)
        return await self._measured(base, dataset, how, on_progress)

    async def evaluate_all(
        self,
        folders: Sequence[Path],
        suite: Suite,
        *,
        again: bool = False,
        on_step: Callable[[int, int, Step], None] = lambda *_: None,
        on_progress: Progress = lambda *_: None,
    ) -> list[EvalRecord]:
        """Measure every data set below folders; each run is saved as soon as it is there.

        A step whose saved run is of this version and has the same settings and fingerprints is not
        done again, so that what was interrupted goes on where it was. Steps that write answers are
        left out where there is no chat model.

        Args:
            folders: Where the folders of data sets are.
            suite: How much to measure.
            again: Measure everything anew.
            on_step: Told of each step: its number from 1, how many there are, and the step.
            on_progress: As for ``evaluate``.

        Raises:
            NotFoundError: There is no data set below one of them.
            InputError: A set is malformed.
        """
        from wenqu.evaluation.suite import steps

        plan = await asyncio.to_thread(lambda: steps(folders, suite))
        if self._app.chat_model() is None:
            plan = [step for step in plan if step.answers != "generate"]
        runs = []
        for number, step in enumerate(plan, start=1):
            on_step(number, len(plan), step)
            how = EvalOptions(
                corpus=step.corpus,
                limit=step.limit,
                answers=step.answers,
                answers_limit=step.answers_limit,
                hide=step.hide,
                label=step.label,
                name=step.name,
            )
            kept = None if again else await self._kept_run(step.folder, how)
            if kept is None:
                found = await self.evaluate(step.folder, how, on_progress=on_progress)
                kept = self.runs.save(found, replace=True)
            runs.append(kept)
        return runs

    async def _kept_run(self, folder: Path, how: EvalOptions) -> EvalRecord | None:
        """Return the saved run that measuring so would repeat, if there is one."""
        from wenqu.evaluation.datasets import sampled

        try:
            kept = self.runs.load(how.name)
            base = await self._app.bases.get(kept.knowledge_base)
        except (NotFoundError, InputError):
            return None
        if kept.version != self._version:
            return None
        dataset = await asyncio.to_thread(_dataset, folder, how)
        questions = [(one.id, one.text) for one in sampled(dataset, how.limit, how.seed).queries]
        if questions != [(one.id, one.text) for one in kept.queries]:
            return None
        if base.documents != len(dataset.documents) or await self._shared(base, dataset) < 1:
            return None
        prints = await self.fingerprints(base, writes=how.answers == "generate")
        same = kept.settings == _kept(self._app.settings.model_dump(mode="json"))
        asked = (kept.limit, kept.answers_by, kept.hidden) == (how.limit, how.answers, how.hide)
        return kept if same and asked and kept.fingerprints == prints else None

    async def evaluate_questions(
        self,
        base: KnowledgeBase,
        file: Path,
        how: EvalOptions | None = None,
        *,
        on_progress: Progress = lambda *_: None,
    ) -> EvalRecord:
        """Measure a knowledge base on its user's own questions.

        Args:
            base: The knowledge base.
            file: The questions; see ``evaluation.questions``.
            how: What to measure.
            on_progress: As for ``evaluate``.

        Raises:
            NotFoundError: There is no such file, or a question names a document that is not there.
            InputError: The file is malformed, or tells nothing that could be measured.
            ModelMissingError: Answers are to be written, and there is no chat model.
        """
        how = how or EvalOptions()
        dataset = await self.questions(base, file, drafts=how.drafts)
        if not dataset.judged and how.answers is None:
            raise InputError("error.questions_unjudged", file=file.name)
        return await self._measured(base, dataset, how, on_progress)

    async def draft(
        self,
        base: KnowledgeBase,
        how: DraftOptions,
        *,
        on_progress: Callable[[int, int], None] = lambda *_: None,
    ) -> list[Draft]:
        """Draft questions from the documents of a knowledge base, for a person to accept.

        Args:
            base: The knowledge base.
            how: How many, and by whom.
            on_progress: Told how many there are, and how many there will be.

        Raises:
            InputError: No document has a sentence to ask about.
        """
        from wenqu.evaluation.draft import Drafter

        chat = self._app.chat_model() if how.use_llm else None
        drafter = Drafter(chat=chat, seed=how.seed)
        infos = await self._app.documents.documents(base.id)
        texts = [(info.id, info.source) for info in infos]

        async def document(name: str) -> Document:
            return await self._app.documents.document(base.id, name)

        drafts = await drafter.draft(texts, document, how.number, on_progress=on_progress)
        if not drafts:
            raise InputError("error.draft_nothing", name=base.name)
        return drafts

    async def questions(self, base: KnowledgeBase, file: Path, *, drafts: bool) -> Dataset:
        """Return the questions of a file as an evaluation set over a knowledge base.

        Raises:
            NotFoundError: There is no such file, or a question names a document that is not there.
            InputError: The file is malformed.
        """
        from wenqu.evaluation.questions import dataset_of, load_questions, needs_texts

        questions = await asyncio.to_thread(lambda: load_questions(file, drafts=drafts))
        name = f"{base.name}-{file.stem}"
        if needs_texts(questions):
            return dataset_of(name, questions, await self.texts(base.id))
        return dataset_of(name, questions, await self._app.documents.documents(base.id))

    async def tuning_cost(self, base: KnowledgeBase, file: Path, how: TuneOptions) -> TuneCost:
        """Return what ``tune`` will cost, before it is begun; raises what it raises."""
        from wenqu.app_tuning import tuning_cost

        return await tuning_cost(self._app, base, await self._tuning_set(base, file, how), how)

    async def tune(
        self,
        base: KnowledgeBase,
        file: Path,
        how: TuneOptions,
        *,
        on_progress: Progress = lambda *_: None,
    ) -> Tuning:
        """Try settings of retrieval on a knowledge base's own questions; changes nothing in it.

        Args:
            base: The knowledge base.
            file: The questions; see ``evaluation.questions``.
            how: What to try.
            on_progress: Told of a phase ("documents", "searches"), how many are done, of how many.

        Raises:
            NotFoundError: There is no such file, or a question names a document that is not there.
            InputError: The file is malformed, or has too few questions to choose by.
        """
        from wenqu.app_tuning import tune

        dataset = await self._tuning_set(base, file, how)
        return await tune(self._app, base, dataset, how, on_progress=on_progress)

    async def _tuning_set(self, base: KnowledgeBase, file: Path, how: TuneOptions) -> Dataset:
        from wenqu.evaluation.tune import FEWEST

        dataset = await self.questions(base, file, drafts=how.drafts)
        if len(dataset.judged) < FEWEST:
            raise InputError("error.tune_few", number=len(dataset.judged), fewest=FEWEST)
        return dataset

    async def texts(self, kb: int) -> Sequence[Document]:
        """Return the documents of a knowledge base, whole."""
        infos = await self._app.documents.documents(kb)
        return [await self._app.documents.document(kb, info.id) for info in infos]

    async def _base_of(self, dataset: Dataset, names: Iterator[str]) -> KnowledgeBase:
        """Return the first knowledge base by these names that is the set's, made where missing.

        It is the set's where at least half of what it holds is: a corpus may have been edited.
        """
        for name in names:
            base = await self._app.ensure_base(name)
            if await self._shared(base, dataset) >= _OWN:
                return base
        raise AssertionError("there is no end of names")

    async def _shared(self, base: KnowledgeBase, dataset: Dataset) -> float:
        """Return the share of a knowledge base's documents that a set has too; 1 of nothing."""
        from wenqu.pipeline.ingest import document_hash

        own = {document.source: document for document in dataset.documents}
        stored = await self._app.documents.versions(base.id)
        same = sum(
            one.source in own and one.content_hash == document_hash(own[one.source])
            for one in stored
        )
        return same / len(stored) if stored else 1.0

    async def _fill(self, base: KnowledgeBase, dataset: Dataset, on_progress: Progress) -> None:
        done = 0

        def tell(_: FileOutcome) -> None:
            nonlocal done
            done += 1
            on_progress("documents", done, len(dataset.documents))

        ingester = await self._app.ingester(None, base)
        await ingester.replace_all(base.id, dataset.documents, tell)

    async def _measured(
        self, base: KnowledgeBase, dataset: Dataset, how: EvalOptions, on_progress: Progress
    ) -> EvalRecord:
        from wenqu.evaluation.datasets import sampled
        from wenqu.evaluation.record import EvalRecord
        from wenqu.evaluation.run import run_queries, served

        sample = sampled(dataset, how.limit, how.seed)
        pipeline = await self._pipeline(base, sample, how)
        queries = await run_queries(
            sample, pipeline, on_progress=lambda done, of: on_progress("queries", done, of)
        )
        return EvalRecord(
            name=how.name,
            date=datetime.now(UTC),
            version=self._version,
            dataset=dataset.name,
            knowledge_base=base.name,
            documents=len(dataset.infos),
            seed=how.seed,
            limit=how.limit,
            hidden=how.hide,
            answers_by=how.answers,
            served=served(queries),
            settings=_kept(self._app.settings.model_dump(mode="json")),
            fingerprints=await self.fingerprints(base, writes=how.answers == "generate"),
            queries=queries,
        )

    async def fingerprints(self, base: KnowledgeBase, *, writes: bool) -> dict[str, str]:
        """Return what a run depends on beside the settings; ``writes`` names the chat model too."""
        from wenqu.text import chunk, tokenize

        embedder = await self._app.embedder()
        prints = {
            "chunker": chunk.fingerprint(self._app.chunking(base)),
            "tokeniser": tokenize.FINGERPRINT,
            "embedder": embedder.fingerprint,
            "documents": str(await self._app.changes.head(base.id)),
        }
        chat = self._app.chat_model() if writes else None
        if chat is None:
            return prints
        prompt = base.settings.prompt
        own = {"prompt": blake2b(prompt.encode(), digest_size=8).hexdigest()} if prompt else {}
        return {**prints, "chat": chat.name, **own}

    async def _pipeline(self, base: KnowledgeBase, sample: Dataset, how: EvalOptions) -> Pipeline:
        from wenqu.evaluation.datasets import sampled
        from wenqu.evaluation.run import Pipeline

        if how.answers == "generate" and self._app.chat_model() is None:
            raise ModelMissingError("error.eval_no_chat")
        retriever = await self._app.retriever()
        top = 3 * self._app.settings.retrieval.candidates
        asked = sampled(sample, how.answers_limit, how.seed).queries

        # Copies stay: a set's labels count each of them.
        everything = SearchOptions(top=top, collapse=False)

        async def search(question: str) -> SearchHits:
            return await retriever.search(base.id, Query(text=question), everything)

        async def answer(question: str) -> Answer:
            asking = AskOptions(use_llm=how.answers == "generate")
            finished = [
                event.answer
                async for event in self._ask(base.id, question, asking)
                if isinstance(event, AnswerFinished)
            ]
            return finished[-1]

        return Pipeline(
            search=search,
            gate=await self._gate(base) if sample.has_refusals else None,
            answer=answer if how.answers else None,
            answers=frozenset(query.id for query in asked),
        )

    async def _gate(self, base: KnowledgeBase) -> Gate:
        """Return the gate of a knowledge base, which sees as many hits as it does elsewhere."""
        from wenqu.app_gating import EVIDENCE_HITS

        decide = await self._app.gate(base.id)

        async def gate(question: str, hits: Sequence[Hit]) -> GateDecision:
            return decide(question, hits[:EVIDENCE_HITS])

        return gate


def _dataset(folder: Path, how: EvalOptions) -> Dataset:
    from wenqu.evaluation.datasets import load_dataset, without

    dataset = load_dataset(folder, corpus=how.corpus)
    if how.label:
        dataset = replace(dataset, name=how.label)
    return without(dataset, how.hide, how.seed) if how.hide else dataset


def _base_names(folder: Path, dataset: str, how: EvalOptions) -> Iterator[str]:
    """Yield names for the knowledge base of a corpus file of a data set, the best first.

    The second is the one that ``evaluate_all`` gives to it from the folder two above.
    """
    yield _base_name(dataset, how)
    if not how.label and (above := folder.resolve().parent.name):
        yield _base_name(f"{above}-{dataset}", how)
    for number in count(2):
        yield _base_name(f"{dataset}-{number}", how)


def _base_name(dataset: str, how: EvalOptions) -> str:
    stem = how.corpus.removesuffix(".gz").removesuffix(".jsonl")
    name = f"eval-{dataset}" if stem == "corpus" else f"eval-{dataset}-{stem}"
    return f"{name}-hidden{round(100 * how.hide)}" if how.hide else name


def _kept(settings: dict[str, Any]) -> dict[str, object]:
    """Return settings without what is secret or only this machine's."""
    return {
        name: _kept(value) if isinstance(value, dict) else value
        for name, value in settings.items()
        if not name.endswith(_PRIVATE) and name not in {"web", "read", "server", "database"}
    }
