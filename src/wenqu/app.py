"""The composition root: the one module that knows both the settings and the engines.

``open_app`` gives an ``App``; the doors parse, call it, and show what comes back. Nothing heavy is
loaded before it is needed: listing knowledge bases opens no model.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from wenqu import settings as settings_module
from wenqu.app_gating import EVIDENCE_HITS
from wenqu.app_models import DEFAULT_CHAT_MODEL, OCR_MODEL
from wenqu.app_parts import AppParts
from wenqu.errors import NotFoundError, StoreError
from wenqu.options import AskOptions, SearchOptions
from wenqu.text.normalize import normalize, storable
from wenqu.types import (
    AnswerFinished,
    AnswerText,
    EvidenceFound,
    Query,
    SearchHits,
    Stage,
    Trace,
    document_id,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from wenqu.app_conversing import Conversing
    from wenqu.app_measuring import Measuring
    from wenqu.pipeline.ingest import FileOutcome, IngestReport
    from wenqu.pipeline.sharing import Sharing
    from wenqu.protocols import ChatModel, Embedder
    from wenqu.settings import Settings
    from wenqu.sources.git import GitSource
    from wenqu.sources.web import WebSource
    from wenqu.types import (
        Answer,
        AnswerEvent,
        AnswerRecord,
        DocumentInfo,
        Evidence,
        KnowledgeBase,
    )

    Progress = Callable[[str, int, int], None]
    Slot = Callable[[], AbstractAsyncContextManager[None]]

__all__ = ["DEFAULT_BASE", "DEFAULT_CHAT_MODEL", "OCR_MODEL", "AddOptions", "App", "open_app"]

DEFAULT_BASE = "default"
"""The knowledge base that is meant where none is named and there is not just one."""

_log = logging.getLogger("wenqu.app")


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOptions:
    """What is wanted of ``App.add`` beside what to add.

    ``ignore`` has patterns of files to leave out. ``prune`` removes documents whose files are gone
    from the folders, archives and repositories given. ``passwords`` are tried in order on files
    that ask for one. ``depth`` is how many links away from each page pages are added too.
    ``allow_private`` lets pages and repositories of this machine and its networks be asked for.
    ``tags`` are given to every document that comes of it, changed or not.
    """

    ignore: Sequence[str] = ()
    prune: bool = False
    passwords: Sequence[str] = field(default=(), repr=False)
    depth: int = 0
    allow_private: bool = False
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """A knowledge base as it is when a question to it begins to be answered.

    ``version`` is the number of its last change, ``prompt`` its own, empty where it has none.
    """

    id: int
    version: int
    prompt: str


@asynccontextmanager
async def open_app(
    settings: Settings | None = None,
    *,
    on_download: Progress = lambda *_: None,
    embedder: Embedder | None = None,
    chat: ChatModel | None = None,
    **overrides: object,
) -> AsyncIterator[App]:
    """Open wenqu, and close what it opened at the end.

    Args:
        settings: The settings in force; None reads them from environment, wenqu.toml and defaults.
        on_download: Told of a model's download: its name, bytes so far, bytes in all.
        embedder: Used instead of the configured one.
        chat: Used instead of the configured one; closed at the end.
        overrides: Settings that the caller sets, such as ``home``.

    Raises:
        SettingsError: A setting is unknown or wrong.
        StoreError: The database cannot be opened.
    """
    in_force = settings or settings_module.load(**overrides)
    app = App(in_force, on_download=on_download, embedder=embedder, chat=chat)
    try:
        yield app
    finally:
        await app.close()


class App(AppParts):
    """wenqu as an object; ``open_app`` makes it, and says what its parts are."""

    @cached_property
    def measuring(self) -> Measuring:
        """Evaluation, and what is learned from examples."""
        from wenqu import __version__
        from wenqu.app_measuring import Measuring

        return Measuring(self, self._answer_to, __version__)

    @cached_property
    def conversing(self) -> Conversing:
        """Conversations."""
        from wenqu.app_conversing import Conversing

        return Conversing(self, self.ask)

    async def close(self) -> None:
        """Close everything that was opened."""
        if "conversing" in self.__dict__:
            await self.conversing.close()
        await super().close()

    @cached_property
    def _sharing(self) -> Sharing[AnswerEvent]:
        from wenqu.pipeline.sharing import Sharing

        return Sharing(kept=self.settings.answer.cache)

    # Adding and removing

    async def add(
        self,
        kb: str,
        targets: Sequence[str | Path],
        how: AddOptions | None = None,
        *,
        on_found: Callable[[int], None] = lambda _: None,
        on_outcome: Callable[[FileOutcome], None] = lambda _: None,
    ) -> IngestReport:
        """Add files, folders, pages and repositories to a knowledge base, made where missing.

        Args:
            kb: Name of the knowledge base.
            targets: Paths, addresses of pages, and addresses of git repositories.
            how: What else is wanted.
            on_found: Told how many files more there are, whenever some are found.
            on_outcome: Told of each file as soon as its fate is certain.

        Raises:
            NotFoundError: A path does not exist; nothing was done.
            StoreError: The database failed; what was reported before is safe.
            ModelError: The embedder cannot be had or run; likewise.
        """
        from wenqu.pipeline.gather import gather, is_meant

        how = how or AddOptions()
        names = [str(target) for target in targets]
        web, repositories = self._web_and_git(how)
        files = await gather(
            names, ignore=how.ignore, web=web, repositories=repositories, on_found=on_found
        )
        async with aclosing(files), self._filled(kb) as base:
            # Refuses what cannot be a tag before anything is read.
            await self.documents.tag(base.id, (), add=how.tags)
            async with self.reading_pool(how.passwords) as pool:
                ingester = await self.ingester(self.recognizing(pool.read), base, pool.unpack)
                report = await ingester.add(
                    base.id,
                    files,
                    gone=lambda source: (
                        how.prune
                        and any(is_meant(source, name, web, repositories) for name in names)
                    ),
                    on_found=on_found,
                    on_outcome=on_outcome,
                )
            if how.tags:
                stored = [document_id(one.source) for one in report.outcomes]
                await self.documents.tag(base.id, stored, add=how.tags)
            if how.prune:
                await self.drop_unused_blobs()
            await (await self.projector()).current(base.id)
        return report

    @asynccontextmanager
    async def _filled(self, name: str) -> AsyncGenerator[KnowledgeBase]:
        """Give the knowledge base; one that is made here and gets no document is deleted again."""
        known = (await self.bases.ids()).values()
        base = await self.ensure_base(name)
        try:
            yield base
        finally:
            if base.id not in known and await self.bases.delete_empty(base.id):
                await self._discard_index(base.id)

    async def base(self, name: str | None) -> KnowledgeBase:
        """Return the knowledge base of that name; without one the only one, else ``default``.

        Raises:
            NotFoundError: There is none of that name; or none is named, and which could be meant.
        """
        return await self.bases.get(name or await self._meant())

    async def base_id(self, name: str | None) -> int:
        """Return the id of what ``base`` returns, without counting what is in it.

        Raises:
            NotFoundError: There is none of that name.
        """
        return await self.bases.id_of(name or await self._meant())

    async def _meant(self) -> str:
        names = list(await self.bases.ids())
        if not names:
            raise NotFoundError("error.kb_none")
        if len(names) > 1 and DEFAULT_BASE not in names:
            raise NotFoundError("error.kb_unnamed", names=", ".join(names))
        return names[0] if len(names) == 1 else DEFAULT_BASE

    async def delete_base(self, name: str) -> KnowledgeBase:
        """Delete a knowledge base with its documents and its index; return what it was.

        Raises:
            NotFoundError: There is none of that name.
        """
        base = await self.bases.delete(name)
        await self._discard_index(base.id)
        await self.drop_unused_blobs()
        return base

    async def _discard_index(self, kb: int) -> None:
        from wenqu.indexes.local import discard

        await asyncio.to_thread(discard, self.indexes_dir / str(kb))

    async def find_document(self, kb: int, name: str) -> DocumentInfo:
        """Return the document that ``name`` means: an id, a source, or the end of one source.

        Raises:
            NotFoundError: None or more than one is meant.
        """
        from wenqu.pipeline.discover import named

        return named(name, await self.documents.documents(kb))

    async def remove_documents(self, kb: int, document_ids: Sequence[str]) -> int:
        """Remove documents; return how many there were."""
        removed = await self.documents.remove(kb, document_ids)
        await self.drop_unused_blobs()
        return removed

    # Asking

    async def search(
        self,
        kb: str | None,
        text: str,
        how: SearchOptions | None = None,
    ) -> SearchHits:
        """Return the best hits of a knowledge base.

        Raises:
            NotFoundError: There is no such knowledge base.
            InputError: The question is empty or too long.
        """
        base = await self.base_id(kb)
        retriever = await self.retriever()
        query = Query(text=normalize(text))
        return await retriever.search(base, query, how or SearchOptions())

    async def ask(
        self, kb: str | None, question: str, how: AskOptions | None = None, *, who: str = ""
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Answer a question from a knowledge base: sources first, then text, then the whole.

        The same question asked by many at once is answered once.

        Args:
            kb: Name of the knowledge base; see ``base``.
            question: In Chinese or English; the answer is in the same language.
            how: Whether a language model may write, and what else is wanted.
            who: Asks; turns at the model go round among those who wait.

        Raises:
            NotFoundError: There is no such knowledge base.
            InputError: The question is empty or too long.
            BusyError: Too many are waiting for the model.
        """
        how, question = how or AskOptions(), storable(question)
        name = kb or await self._meant()
        base = await self._as_it_is(await self.bases.id_of(name))
        model = self.chat_model() if how.use_llm else None
        asked = (base, normalize(question), how, model and model.name)
        answering = partial(self._answered, base, name, question, how, who)
        async with aclosing(self._sharing.events(repr(asked), answering)) as events:
            async for event in events:
                yield event

    async def _as_it_is(self, kb: int) -> _Base:
        settings = await self.bases.settings_of(kb)
        version = await self.changes.head(kb)
        return _Base(id=kb, version=version, prompt=settings.prompt or "")

    async def _answered(
        self, base: _Base, name: str, question: str, how: AskOptions, who: str
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yield an answer in its turn, and keep its record."""
        evidence: tuple[Evidence, ...] = ()
        async with aclosing(self._in_turn(base, question, how, who)) as events:
            async for event in events:
                match event:
                    case EvidenceFound():
                        evidence = event.evidence
                        yield event
                    case AnswerText():
                        yield event
                    case AnswerFinished(answer=answer):
                        if self.settings.answer.keep:
                            record = await self._record(base, name, question, how, answer, evidence)
                            answer = await self._kept(answer, record)
                        yield AnswerFinished(answer=answer)

    async def _in_turn(
        self, base: _Base, question: str, how: AskOptions, who: str
    ) -> AsyncGenerator[AnswerEvent, None]:
        writes = how.use_llm and self.chat_model() is not None
        async with self.queue.place(who) if writes else nullcontext() as place:
            slot = place.slot if place is not None else nullcontext
            async with aclosing(self._answering(base, question, how, slot)) as events:
                async for event in events:
                    yield event

    async def replay(self, name: str) -> tuple[AnswerRecord, AnswerRecord]:
        """Answer a kept question again in the same way; return the old record and the new one.

        The new one is not kept.

        Args:
            name: Of the record; see ``protocols.AnswerStore.get``.

        Raises:
            NotFoundError: There is no such answer, or its knowledge base is gone.
        """
        from wenqu.pipeline.record import as_asked

        before = await self.answers.get(name)
        names = {base: name for name, base in (await self.bases.ids()).items()}
        if before.kb not in names:
            raise NotFoundError("error.kb_missing", name=before.kb_name)
        base, how = await self._as_it_is(before.kb), as_asked(before)
        evidence: tuple[Evidence, ...] = ()
        async for event in self._answering(base, before.question, how):
            if isinstance(event, EvidenceFound):
                evidence = event.evidence
            elif isinstance(event, AnswerFinished):
                answer = event.answer
        name = names[base.id]
        return before, await self._record(base, name, before.question, how, answer, evidence)

    async def _answer_to(
        self, kb: int, question: str, how: AskOptions
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yield an answer that nobody else gets and no record is kept of."""
        async with aclosing(self._answering(await self._as_it_is(kb), question, how)) as events:
            async for event in events:
                yield event

    async def _answering(
        self, base: _Base, question: str, how: AskOptions, slot: Slot = nullcontext
    ) -> AsyncGenerator[AnswerEvent, None]:
        from wenqu.pipeline.places import located
        from wenqu.pipeline.stopwatch import Stopwatch

        watch = Stopwatch()
        query = await self.rephraser().query(normalize(question), how, watch)
        if query != Query(text=normalize(question)):
            # Kept with the stages that made it: this is what was searched for.
            said = {"variants": list(query.variants), "passages": list(query.passages)}
            watch.stages.append(Stage(name="query", ms=0.0, detail={"text": query.text, **said}))
        wanted = SearchOptions(top=EVIDENCE_HITS, where=how.where)
        found = await (await self.retriever()).search(base.id, query, wanted)
        trace = Trace(stages=(*watch.stages, *found.trace.stages))
        answerer = await self.answerer(base.id, how, slot)
        answering = answerer.answer(
            query.text,
            SearchHits(hits=found.hits, trace=trace),
            partial(self.changes.document_chunks, base.id),
            prompt=base.prompt,
        )
        async with aclosing(answering) as events:
            async for event in events:
                if isinstance(event, AnswerFinished):
                    answer = await located(event.answer, base.id, self.documents)
                    yield AnswerFinished(answer=answer)
                else:
                    yield event

    async def _record(
        self,
        base: _Base,
        name: str,
        question: str,
        how: AskOptions,
        answer: Answer,
        evidence: Sequence[Evidence],
    ) -> AnswerRecord:
        from wenqu import __version__
        from wenqu.pipeline.record import Circumstances, record_of

        circumstances = Circumstances(
            kb=base.id,
            kb_name=name,
            kb_version=base.version,
            wenqu=__version__,
            made_with=await self.made_with(answer.model, base.prompt if answer.model else ""),
        )
        return record_of(question, how, answer, evidence, circumstances)

    async def _kept(self, answer: Answer, record: AnswerRecord) -> Answer:
        try:
            await self.answers.put(record)
        except StoreError:
            # An answer that was given is worth more than its record.
            _log.warning("an answer could not be kept", exc_info=True)
            return answer
        return replace(answer, id=record.id)

    def _web_and_git(self, how: AddOptions) -> tuple[WebSource, GitSource]:
        from wenqu.sources.git import GitSource
        from wenqu.sources.web import WebLimits, WebSource

        web = self.settings.web
        limits = WebLimits(
            allow_private=how.allow_private,
            max_pages=web.max_pages,
            max_mb=self.settings.read.max_file_mb,
            timeout_s=web.timeout_s,
            delay_s=web.delay_s,
        )
        git = GitSource(allow_private=how.allow_private, timeout_s=web.clone_timeout_s)
        return WebSource(depth=how.depth, limits=limits), git
