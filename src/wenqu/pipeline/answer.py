"""Answers a question from its hits: gate, evidence, writing, verified citations.

The sources come before the first word. Each stage degrades rather than fails: without a chat
model, or when it fails before its first word, the best sentences are quoted; what a model wrote
before it failed stays. The trace says which stage was skipped and why.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING

from wenqu import messages
from wenqu.errors import ModelError
from wenqu.pipeline.evidence import select
from wenqu.pipeline.gate import decide
from wenqu.pipeline.quote import quote
from wenqu.pipeline.section import with_sections
from wenqu.pipeline.verify import Checked, strict, verify
from wenqu.text import prompts
from wenqu.text.abstention import abstains, may_abstain
from wenqu.text.citations import MarkerFilter, loop_start
from wenqu.text.language import detect
from wenqu.text.links import LinkFilter
from wenqu.text.smalltalk import reply
from wenqu.types import (
    Answer,
    AnswerFinished,
    AnswerText,
    EvidenceFound,
    Outcome,
    Stage,
    Trace,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from wenqu.pipeline.evidence import Selection
    from wenqu.pipeline.gate import GateDecision
    from wenqu.pipeline.match import Vector
    from wenqu.pipeline.section import ChunksOf
    from wenqu.protocols import ChatModel, Embedder
    from wenqu.types import AnswerEvent, Hit, Language, Message, SearchHits

    Gate = Callable[[str, Sequence[Hit]], GateDecision]

__all__ = ["Answerer"]

_EXTRACTIVE_TOKENS = 450
_REFUSALS = {
    Outcome.NO_EVIDENCE: "answer.no_evidence",
    Outcome.OUT_OF_SCOPE: "answer.out_of_scope",
}


class Answerer:
    """Answers questions from hits; holds nothing between them.

    Args:
        embedder: Compares sentences of evidence with the question and with the answer.
        chat: Writes the answer; None quotes the best sentences instead.
        gate: Decides before the model speaks; None answers everything.
        max_tokens: Longest answer, in the model's tokens.
        evidence_tokens: Size of the evidence; None takes what the model says it reads in good time.
        first_token_s: Seconds until the first word, loading included, before quoting instead;
            None leaves it to the model when to give up.
        slot: Gives the model's turn to write: what waits there for others is not the model's delay.
        strict: Leaves sentences out of the final text that the evidence does not bear out; where
            none is left, there is no evidence.
        typical: The mean vector of questions in each language, as the embedder gives them: chooses
            evidence in another language and checks answers from it.
    """

    def __init__(  # noqa: PLR0913  # one parameter a part or setting
        self,
        *,
        embedder: Embedder,
        chat: ChatModel | None = None,
        gate: Gate | None = decide,
        max_tokens: int = 400,
        evidence_tokens: int | None = None,
        first_token_s: float | None = 120.0,
        slot: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        strict: bool = False,
        typical: Mapping[Language, Vector] = MappingProxyType({}),
    ) -> None:
        self._embedder = embedder
        self._chat = chat
        self._gate = gate
        self._max_tokens = max_tokens
        self._evidence_tokens = evidence_tokens or (
            chat.evidence_tokens if chat else _EXTRACTIVE_TOKENS
        )
        self._first_token_s = first_token_s
        self._slot = slot
        self._strict = strict
        self._typical = typical

    async def answer(
        self,
        question: str,
        search: SearchHits,
        chunks_of: ChunksOf | None = None,
        *,
        prompt: str = "",
    ) -> AsyncGenerator[AnswerEvent]:
        """Yield the sources, the text in pieces, and the whole answer with checked citations.

        The language is the question's. Closing the iterator stops the chat model. The final text
        may differ from the pieces: markers that verification found wrong are set right in it.
        With ``chunks_of``, the evidence may be of a hit's neighbours in its section too.
        ``prompt`` is what the model is told beside the rules; see ``text.prompts``.

        Raises:
            ModelError: The embedder cannot be run. A failing chat model raises nothing.
        """
        work = _Work(question=question, language=detect(question), search=search, prompt=prompt)
        if refusal := self._refusal(work):
            yield EvidenceFound(evidence=())
            yield work.finished(refusal)
            return
        with work.stage("evidence") as detail:
            hits = await with_sections(search.hits, chunks_of) if chunks_of else search.hits
            selection = await select(
                question, hits, self._embedder, self._evidence_tokens, typical=self._typical
            )
            detail["sentences"] = len(selection.sentences)
            if selection.orders:
                detail["orders_left_out"] = selection.orders
        yield EvidenceFound(evidence=selection.evidence)
        if not selection.evidence:
            yield work.finished(Outcome.NO_EVIDENCE)
            return
        if self._chat is not None:
            async with (
                work.turn(self._slot),
                _closed(self._write(self._chat, work, selection)) as pieces,
            ):
                async for piece in pieces:
                    yield AnswerText(text=piece)
        if abstains(work.text):
            yield work.finished(Outcome.NO_EVIDENCE)
            return
        if work.text.strip():
            checked = await self._check(work, selection)
        else:
            checked = quote(selection, work.question)
            yield AnswerText(text=checked.text)
        if checked.holds or (checked.likely and not (checked.abstained or self._strict)):
            yield work.finished(Outcome.ANSWERED, checked)
        else:
            yield work.finished(Outcome.NO_EVIDENCE)

    async def _check(self, work: _Work, selection: Selection) -> Checked:
        with work.stage("verify") as detail:
            checked = await verify(
                work.text, selection, self._embedder, work.question, self._typical
            )
            detail["supported"] = sum(citation.supported for citation in checked.citations)
            detail["citations"] = len(checked.citations)
            detail["unsupported"] = checked.unsupported
            if not checked.likely:
                detail["improbable"] = True
            return strict(checked) if self._strict else checked

    def _refusal(self, work: _Work) -> Outcome | None:
        if self._gate is None:
            return None
        with work.stage("gate") as detail:
            verdict = self._gate(work.question, work.search.hits)
            detail["reason"] = verdict.reason
            detail["probability"] = round(verdict.probability, 4)
            if verdict.features:
                detail["threshold"] = round(verdict.threshold, 4)
                detail |= {name: round(value, 4) for name, value in verdict.features.items()}
            if verdict.note:
                detail["note"] = verdict.note
        return verdict.outcome

    async def _write(
        self, chat: ChatModel, work: _Work, selection: Selection
    ) -> AsyncGenerator[str]:
        """Yield what may be shown while the model writes; ``work.text`` has it all in the end."""
        prompt = prompts.build(work.question, selection.evidence, work.language, work.prompt)
        markers = MarkerFilter({item.marker for item in selection.evidence})
        links = LinkFilter([work.question, *(item.text for item in selection.evidence)])
        work.note["prompt"] = [{"role": one.role, "text": one.text} for one in prompt]
        work.begin_writing(chat.name)
        shown = 0
        try:
            async with _closed(self._pieces(chat, prompt, work)) as pieces:
                async for piece in pieces:
                    work.text += links.feed(markers.feed(piece))
                    if (cut := loop_start(work.text)) is not None:
                        work.text = work.text[:cut].rstrip()
                        work.note["looped"] = True
                        break
                    if not may_abstain(work.text):
                        yield work.text[shown:]
                        shown = len(work.text)
                else:
                    work.text += links.feed(markers.finish()) + links.finish()
        except (ModelError, TimeoutError) as error:
            late = f"> {self._first_token_s or 0:g} s"
            work.failed = error.phrase if isinstance(error, ModelError) else late
        finally:
            work.end_writing()
        if shown < len(work.text) and not abstains(work.text):
            yield work.text[shown:]

    async def _pieces(
        self, chat: ChatModel, prompt: Sequence[Message], work: _Work
    ) -> AsyncGenerator[str]:
        """Yield the model's pieces, the first within its budget.

        Raises:
            ModelError: The model failed.
            TimeoutError: Nothing came in time.
        """
        async with _closed(chat.stream(prompt, self._max_tokens)) as pieces:
            async with asyncio.timeout(self._first_token_s):
                first = await anext(pieces, None)
            work.first_token()
            if first is None:
                return
            yield first
            async for piece in pieces:
                yield piece


@dataclass(slots=True, kw_only=True)
class _Work:
    """One question in work: what was written so far, and how long each stage took."""

    question: str
    language: Language
    search: SearchHits
    prompt: str
    text: str = ""
    model: str | None = None
    failed: str | None = None
    note: dict[str, object] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    begun: float = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, object]]:
        """Time the block; what it puts into the mapping is kept with the stage."""
        detail: dict[str, object] = {}
        begun = perf_counter()
        yield detail
        self.stages.append(Stage(name=name, ms=(perf_counter() - begun) * 1e3, detail=detail))

    @asynccontextmanager
    async def turn(
        self, slot: Callable[[], AbstractAsyncContextManager[None]]
    ) -> AsyncGenerator[None]:
        """Wait for the model's turn, hold it, and note how long it took to come."""
        begun = perf_counter()
        async with slot():
            self.stages.append(Stage(name="queue", ms=(perf_counter() - begun) * 1e3))
            yield

    def begin_writing(self, model: str) -> None:
        """Note that the model was asked."""
        self.model = model
        self.begun = perf_counter()

    def first_token(self) -> None:
        """Note that the model said its first word."""
        now = perf_counter()
        self.stages.append(Stage(name="first_token", ms=(now - self.begun) * 1e3))
        self.begun = now

    def end_writing(self) -> None:
        """Note that the model ended, was stopped or failed; if before a word, it was skipped."""
        written = bool(self.text.strip())
        if self.failed and written:
            self.note["failed"] = self.failed
        skipped = None if written else self.failed or messages.Phrase("skip.silent")
        milliseconds = (perf_counter() - self.begun) * 1e3
        self.stages.append(
            Stage(name="generate", ms=milliseconds, detail=dict(self.note), skipped=skipped)
        )
        if not written:
            self.model = None

    def finished(self, outcome: Outcome, checked: Checked | None = None) -> AnswerFinished:
        """Return the last event; a refusal's text is the catalogue's."""
        if checked is None:
            small_talk = outcome is Outcome.NOT_A_QUESTION
            key = reply(self.question) if small_talk else _REFUSALS[outcome]
            checked = Checked(text=messages.text(key, self.language))
        return AnswerFinished(
            answer=Answer(
                outcome=outcome,
                text=checked.text,
                language=self.language,
                citations=checked.citations,
                sentences=checked.sentences,
                hits=self.search.hits,
                trace=Trace(stages=(*self.search.trace.stages, *self.stages)),
                model=self.model,
            )
        )


@asynccontextmanager
async def _closed(pieces: AsyncIterator[str]) -> AsyncGenerator[AsyncIterator[str]]:
    """Close ``pieces`` on leaving, which stops the model, also where its type has no ``aclose``."""
    try:
        yield pieces
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()
