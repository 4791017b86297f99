"""Answers a question from its hits: gate, evidence, writing, verified citations.

The sources come before the first word. Each stage degrades rather than fails: without a chat
model, or when it fails before its first word, the best sentences are quoted; what a model wrote
before it failed stays. The trace says which stage was skipped and why.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from wenqu import messages
from wenqu.errors import ModelError
from wenqu.pipeline.evidence import select
from wenqu.pipeline.gate import decide
from wenqu.pipeline.verify import verify
from wenqu.text import prompts
from wenqu.text.citations import MarkerFilter, loop_start
from wenqu.text.language import detect
from wenqu.types import (
    Answer,
    AnswerFinished,
    AnswerText,
    Citation,
    EvidenceFound,
    Outcome,
    Stage,
    Trace,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence

    from wenqu.pipeline.evidence import EvidenceSentence, Selection
    from wenqu.protocols import ChatModel, Embedder
    from wenqu.types import AnswerEvent, Hit, Language, Message, SearchHits

__all__ = ["Answerer", "Verdict"]

_QUOTED = 3  # sentences of an extractive answer
_QUOTED_SHARE = 0.6  # of the best sentence's score that another must have to be quoted
_EXTRACTIVE_TOKENS = 450
# One short line that begins with a word and ends in one: a sentence would have its stop.
_TITLE = re.compile(r"\w[^\n|:：;；]{0,58}[^\W\d]")
_REFUSALS = {
    Outcome.NO_EVIDENCE: "answer.no_evidence",
    Outcome.OUT_OF_SCOPE: "answer.out_of_scope",
    Outcome.NOT_A_QUESTION: "answer.not_a_question",
}


class Verdict(Protocol):
    """What a gate says: why it refuses, or None where the question may be answered."""

    @property
    def outcome(self) -> Outcome | None:
        """The refusal."""

    @property
    def reason(self) -> str:
        """A key of the message catalogue, for the trace."""

    @property
    def probability(self) -> float:
        """How likely the hits answer the question, 0 … 1."""


class Answerer:
    """Answers questions from hits; holds nothing between them.

    Args:
        embedder: Compares sentences of evidence with the question and with the answer.
        chat: Writes the answer; None quotes the best sentences instead.
        gate: Decides before the model speaks; None answers everything.
        max_tokens: Longest answer, in the model's tokens.
        evidence_tokens: Size of the evidence; None takes what the model says it reads in good time.
        first_token_s: Seconds until the first word, loading included, before quoting instead.
    """

    def __init__(
        self,
        *,
        embedder: Embedder,
        chat: ChatModel | None = None,
        gate: Callable[[str, Sequence[Hit]], Verdict] | None = decide,
        max_tokens: int = 400,
        evidence_tokens: int | None = None,
        first_token_s: float = 120.0,
    ) -> None:
        self._embedder = embedder
        self._chat = chat
        self._gate = gate
        self._max_tokens = max_tokens
        self._evidence_tokens = evidence_tokens or (
            chat.evidence_tokens if chat else _EXTRACTIVE_TOKENS
        )
        self._first_token_s = first_token_s

    async def answer(self, question: str, search: SearchHits) -> AsyncGenerator[AnswerEvent]:
        """Yield the sources, the text in pieces, and the whole answer with checked citations.

        The language is the question's. Closing the iterator stops the chat model. The final text
        may differ from the pieces: markers that verification found wrong are set right in it.

        Raises:
            ModelError: The embedder cannot be run. A failing chat model raises nothing.
        """
        work = _Work(question=question, language=detect(question), search=search)
        if refusal := self._refusal(work):
            yield EvidenceFound(evidence=())
            yield work.finished(refusal)
            return
        with work.stage("evidence") as detail:
            selection = await select(question, search.hits, self._embedder, self._evidence_tokens)
            detail["sentences"] = len(selection.sentences)
        yield EvidenceFound(evidence=selection.evidence)
        if not selection.evidence:
            yield work.finished(Outcome.NO_EVIDENCE)
            return
        if self._chat is not None:
            async with _closed(self._write(self._chat, work, selection)) as pieces:
                async for piece in pieces:
                    yield AnswerText(text=piece)
        if prompts.abstains(work.text):
            yield work.finished(Outcome.NO_EVIDENCE)
            return
        if work.text.strip():
            with work.stage("verify") as detail:
                text, citations = await verify(work.text, selection, self._embedder)
                detail["supported"] = sum(citation.supported for citation in citations)
                detail["citations"] = len(citations)
        else:
            text, citations = _quoted(selection)
            yield AnswerText(text=text)
        yield work.finished(Outcome.ANSWERED, text, citations)

    def _refusal(self, work: _Work) -> Outcome | None:
        if self._gate is None:
            return None
        with work.stage("gate") as detail:
            verdict = self._gate(work.question, work.search.hits)
            detail["reason"] = verdict.reason
            detail["probability"] = round(verdict.probability, 4)
        return verdict.outcome

    async def _write(
        self, chat: ChatModel, work: _Work, selection: Selection
    ) -> AsyncGenerator[str]:
        """Yield what may be shown while the model writes; ``work.text`` has it all in the end."""
        prompt = prompts.build(work.question, selection.evidence, work.language)
        markers = MarkerFilter({item.marker for item in selection.evidence})
        work.begin_writing(chat.name)
        shown = 0
        try:
            async with _closed(self._pieces(chat, prompt, work)) as pieces:
                async for piece in pieces:
                    work.text += markers.feed(piece)
                    if (cut := loop_start(work.text)) is not None:
                        work.text = work.text[:cut].rstrip()
                        work.note["looped"] = True
                        break
                    if not prompts.may_abstain(work.text):
                        yield work.text[shown:]
                        shown = len(work.text)
                else:
                    work.text += markers.finish()
        except (ModelError, TimeoutError) as error:
            work.failed = str(error) or f"{self._first_token_s:g} s"
        finally:
            work.end_writing()
        if shown < len(work.text) and not prompts.abstains(work.text):
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
        skipped = None if written else self.failed or "the model said nothing"
        milliseconds = (perf_counter() - self.begun) * 1e3
        self.stages.append(
            Stage(name="generate", ms=milliseconds, detail=dict(self.note), skipped=skipped)
        )
        if not written:
            self.model = None

    def finished(
        self, outcome: Outcome, text: str | None = None, citations: Sequence[Citation] = ()
    ) -> AnswerFinished:
        """Return the last event; a refusal's text is the catalogue's."""
        if text is None:
            text = messages.text(_REFUSALS[outcome], self.language)
        return AnswerFinished(
            answer=Answer(
                outcome=outcome,
                text=text,
                language=self.language,
                citations=tuple(citations),
                hits=self.search.hits,
                trace=Trace(stages=(*self.search.trace.stages, *self.stages)),
                model=self.model,
            )
        )


def _quoted(selection: Selection) -> tuple[str, list[Citation]]:
    """Return the best sentences as they stand in their documents, best source first."""
    # A question that a document asks, or a title, does not answer ours, unless it holds nothing
    # else.
    telling = [
        item
        for item in selection.sentences
        if not item.text.endswith(("?", "？")) and not _TITLE.fullmatch(item.text)
    ]
    best = sorted(telling or selection.sentences, key=lambda item: -item.score)[:_QUOTED]
    kept = [sentence for sentence in best if sentence.score >= _QUOTED_SHARE * best[0].score]
    order = [item.marker for item in kept]  # a source's sentences stay together, in their order
    kept.sort(key=lambda sentence: (order.index(sentence.marker), sentence.span))
    return "\n".join(_lines(kept)), [
        Citation(
            marker=sentence.marker,
            hit=sentence.hit,
            sentence=sentence.text,
            quote=sentence.text,
            span=sentence.span,
            supported=True,
        )
        for sentence in kept
    ]


def _lines(kept: Sequence[EvidenceSentence]) -> Iterator[str]:
    """Yield the sentences with their markers; rows of a table have its header rows before them."""
    header = ""
    for sentence in kept:
        if sentence.header and sentence.header != header:
            yield sentence.header
        header = sentence.header
        yield _cited(sentence)


def _cited(sentence: EvidenceSentence) -> str:
    space = "\n" if sentence.text.startswith(("```", "~~~")) else " "
    return f"{sentence.text}{space}[{sentence.marker}]"


@asynccontextmanager
async def _closed(pieces: AsyncIterator[str]) -> AsyncGenerator[AsyncIterator[str]]:
    """Close ``pieces`` on leaving, which stops the model, also where its type has no ``aclose``."""
    try:
        yield pieces
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()
