"""How good the citations of real answers are, against evidence that people marked: ExpMRC.

Each question is answered over its own document alone, so that what is measured is what comes after
retrieval: the choice of sentences, the answer, the check of its citations. Extractive answers
quote; generative ones are written by the default chat model. A citation is right

* by evidence: where its quote overlaps a passage that an annotator marked as evidence;
* by answer: where it does, or holds a string that an annotator gave as the answer.

Precision is the share of citations that are right, recall the share of questions, refused ones
included, with one that is. ``supported`` counts only citations that wenqu confirms; ``length`` is
that of a quote over that of the marked evidence, for quoting everything would be right always.

    python bench/citation_quality.py --data DIR --models DIR [--questions 40]
        [--mode extractive|generative|check]

``check`` needs no model's answer: what people gave as the answer, the answer to another question
and a sentence of the marked evidence with one number altered are checked as if a model had written
them, and the share that passes is printed.

Replies and vectors are kept in ``--cache``: the same prompt is never sent twice.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from wenqu.evaluation.datasets import load_dataset
from wenqu.models.catalog import find
from wenqu.models.e5 import open_embedder
from wenqu.models.fetch import located
from wenqu.models.llamacpp import LlamaCppChat
from wenqu.pipeline.answer import Answerer
from wenqu.pipeline.evidence import select
from wenqu.pipeline.verify import verify
from wenqu.text.chunk import chunk, embedding_text
from wenqu.text.normalize import normalize
from wenqu.text.sentences import sentences
from wenqu.types import AnswerFinished, Chunking, Hit, Origin, Outcome, SearchHits, Trace

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

    from wenqu.protocols import ChatModel, Embedder, Vectors
    from wenqu.types import Answer, Document, Message, Usage

EMBEDDER = "multilingual-e5-small"
CHAT = "qwen2.5-coder-1.5b-instruct-q4_k_m"
MAX_TOKENS = 256
EVIDENCE_TOKENS = 450


class Cache:
    """Replies and vectors by what made them, in one SQLite file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=60)
        self._db.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB)")

    def get(self, *key: object) -> bytes | None:
        """Return what was kept, or None."""
        row = self._db.execute("SELECT value FROM kept WHERE key = ?", [_digest(key)]).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, value: bytes, *key: object) -> None:
        """Keep a value, durably."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", [_digest(key), value])


def _digest(key: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(key, ensure_ascii=True).encode()).hexdigest()


class KeptEmbedder:
    """An embedder that computes no vector twice."""

    def __init__(self, embedder: Embedder, cache: Cache) -> None:
        self._embedder, self._cache = embedder, cache
        self.fingerprint = embedder.fingerprint
        self.dimension = embedder.dimension
        self.max_tokens = embedder.max_tokens
        self.token_starts = embedder.token_starts

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """Return one row a text."""
        keys = [(self.fingerprint, kind, text) for text in texts]
        rows = [self._cache.get(*key) for key in keys]
        missing = [at for at, row in enumerate(rows) if row is None]
        made = await self._embedder.embed([texts[at] for at in missing], kind) if missing else ()
        for at, vector in zip(missing, made, strict=True):
            rows[at] = vector.astype(np.float32).tobytes()
            self._cache.put(rows[at] or b"", *keys[at])
        return np.stack([np.frombuffer(row or b"", np.float32) for row in rows])


class KeptChat:
    """A chat model that is never asked the same twice."""

    def __init__(self, chat: ChatModel, cache: Cache) -> None:
        self._chat, self._cache = chat, cache
        self.name = chat.name
        self.evidence_tokens = chat.evidence_tokens
        self.close = chat.close

    async def stream(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        *,
        on_usage: Callable[[Usage], None] | None = None,
    ) -> AsyncGenerator[str]:
        """Yield the reply: as it comes the first time, whole after that."""
        key = (self.name, max_tokens, [(message.role, message.text) for message in messages])
        kept = self._cache.get(*key)
        if kept is not None:
            yield kept.decode()
            return
        said = ""
        async for piece in self._chat.stream(messages, max_tokens, on_usage=on_usage):
            said += piece
            yield piece
        self._cache.put(said.encode(), *key)


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the document that answers it, and what annotators marked in it."""

    text: str
    document: Document
    answers: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a question; one entry a citation: by evidence, by answer, supported."""

    answer: Answer
    citations: tuple[tuple[bool, bool, bool], ...]
    lengths: tuple[float, ...]
    contains: bool


def questions_of(folder: Path, count: int) -> tuple[list[Question], list[Document]]:
    """Return a draw of questions that anybody can repeat, and all documents."""
    dataset = load_dataset(folder)
    documents = {document.source: document for document in dataset.documents}
    texts = {query.id: query.text for query in dataset.queries}
    rows = [json.loads(line) for line in (folder / "answers.jsonl").open(encoding="utf-8")]
    random.Random(7).shuffle(rows)  # noqa: S311 - not a secret
    questions = [
        Question(
            text=texts[row["id"]],
            document=documents[row["doc_id"]],
            answers=tuple(map(normalize, row["answers"])),
            evidence=tuple(map(normalize, row["evidence"])),
        )
        for row in rows[:count]
    ]
    return questions, list(dataset.documents)


async def _hits(question: Question, embedder: Embedder) -> SearchHits:
    """Return the document's chunks, nearest to the question first."""
    document = question.document
    chunks = chunk(document, Chunking(max_tokens=MAX_TOKENS), embedder.token_starts)
    asked = await embedder.embed([question.text], "query")
    texts = [embedding_text(one, document.title) for one in chunks]
    scores = (await embedder.embed(texts, "passage")) @ asked[0]
    ranked = sorted(zip(scores.tolist(), chunks, strict=True), key=lambda pair: -pair[0])
    return SearchHits(
        hits=tuple(
            Hit(chunk=one, document=document.info, score=score, origin=Origin.DENSE)
            for score, one in ranked
        ),
        trace=Trace(),
    )


def bare(text: str) -> str:
    """Return the letters and digits of a text: what its length and place are counted in."""
    return "".join(character for character in text.casefold() if character.isalnum())


def marked_in(question: Question) -> list[tuple[int, int]]:
    """Return where the evidence lies in the document's letters and digits.

    What an annotator typed differently is found by its longest sentence-like part.
    """
    whole = bare(question.document.text)
    spans = []
    for evidence in question.evidence:
        parts = sorted(map(bare, evidence.replace("。", ".").split(".")), key=len, reverse=True)
        part = next((one for one in (bare(evidence), *parts) if one and one in whole), None)
        if part is not None:
            spans.append((whole.index(part), whole.index(part) + len(part)))
    return spans


def judge(question: Question, answer: Answer) -> Judged:
    """Compare an answer's citations with what was marked."""
    marked = marked_in(question)
    golds = [gold for gold in map(bare, question.answers) if gold]
    citations, lengths = [], []
    for citation in answer.citations:
        begin = len(bare(question.document.text[: citation.span.start]))
        quote = bare(citation.quote)
        end = begin + len(quote)
        overlaps = any(begin < last and first < end for first, last in marked)
        holds = any(gold in quote for gold in golds)
        citations.append((overlaps, overlaps or holds, citation.supported))
        if marked:
            lengths.append(len(quote) / np.mean([last - first for first, last in marked]))
    said = bare(answer.text)
    return Judged(
        answer=answer,
        citations=tuple(citations),
        lengths=tuple(float(length) for length in lengths),
        contains=any(gold in said for gold in golds),
    )


async def _answer(answerer: Answerer, question: str, search: SearchHits) -> Answer:
    async for event in answerer.answer(question, search):
        if isinstance(event, AnswerFinished):
            return event.answer
    raise AssertionError


def _share(values: Sequence[bool]) -> str:
    if not values:
        return "–"
    half = 1.96 * (np.mean(values) * (1 - np.mean(values)) / len(values)) ** 0.5
    return f"{np.mean(values):.3f}±{half:.3f}"


def _report(name: str, judged: Sequence[Judged]) -> None:
    every = [citation for one in judged for citation in one.citations]
    good = [citation for citation in every if citation[2]]
    print(f"{name}: {len(judged)} questions, {len(every)} citations, {len(good)} supported")
    answered = [one.answer.outcome is Outcome.ANSWERED for one in judged]
    print(
        f"  answered {np.mean(answered):.3f}, holds a gold answer"
        f" {np.mean([one.contains for one in judged]):.3f}, citations a question"
        f" {len(every) / len(judged):.2f}, length"
        f" {np.mean([length for one in judged for length in one.lengths]):.2f}"
    )
    for label, at in (("by evidence", 0), ("by answer", 1)):
        print(
            f"  {label:>12}: precision {_share([c[at] for c in every])},"
            f" of the supported {_share([c[at] for c in good])},"
            f" recall {_share([any(c[at] for c in one.citations) for one in judged])}"
        )


def _failures(questions: Sequence[Question], judged: Sequence[Judged]) -> Iterator[dict[str, Any]]:
    for question, one in zip(questions, judged, strict=True):
        if one.citations and all(citation[0] for citation in one.citations):
            continue
        yield {
            "question": question.text,
            "gold": question.answers,
            "evidence": question.evidence[0],
            "outcome": one.answer.outcome.value,
            "answer": one.answer.text,
            "citations": [
                [citation.sentence, citation.quote, *verdict]
                for citation, verdict in zip(one.answer.citations, one.citations, strict=True)
            ],
        }


async def _judged(
    questions: Sequence[Question], chat: ChatModel | None, embedder: Embedder, until: float
) -> list[Judged]:
    answerer = Answerer(embedder=embedder, chat=chat, gate=None)
    judged: list[Judged] = []
    for question in questions:
        if perf_counter() > until:
            break
        search = await _hits(question, embedder)
        judged.append(judge(question, await _answer(answerer, question.text, search)))
    return judged


async def _measure(given: argparse.Namespace) -> None:
    until = perf_counter() + given.minutes * 60
    cache = Cache(given.cache / "citation_quality.sqlite")
    embedder = KeptEmbedder(open_embedder(find(EMBEDDER), given.models), cache)
    path = located(find(CHAT), given.models)
    chats: dict[str, ChatModel | None] = {}
    if given.mode in {"extractive", "both"}:
        chats["extractive"] = None
    if path is not None and given.mode in {"generative", "both"}:
        chats["generative"] = KeptChat(LlamaCppChat(path, name=CHAT), cache)
    for name in given.sets:
        questions, _ = questions_of(given.data / "expmrc" / name, given.questions)
        if given.mode == "check":
            await _check(name, questions, embedder)
            continue
        for mode, chat in chats.items():
            judged = await _judged(questions, chat, embedder, until)
            if judged:
                _report(f"{name} {mode}", judged)
            if given.failures:
                _write(given.failures / f"{name}-{mode}.jsonl", questions, judged)
    for chat in chats.values():
        if chat is not None:
            await chat.close()


async def _check(name: str, questions: Sequence[Question], embedder: Embedder) -> None:
    """Print which made-up answers pass as borne out."""
    passed: dict[str, list[bool]] = {"own answer": [], "another's": [], "number altered": []}
    for at, question in enumerate(questions):
        search = await _hits(question, embedder)
        chosen = await select(question.text, search.hits, embedder, EVIDENCE_TOKENS)
        other = questions[at - 7].answers[0]
        said = {"own answer": question.answers[0], "number altered": _altered(question.evidence[0])}
        if bare(other) not in bare(question.document.text):
            said["another's"] = other
        for kind, text in said.items():
            if text:
                checked = await verify(f"{text}[1]", chosen, embedder, question.text)
                passed[kind].append(checked.holds)
    shares = (f"{kind} {_share(held)} of {len(held)}" for kind, held in passed.items())
    print(f"{name} taken for borne out: " + ", ".join(shares))


def _altered(evidence: str) -> str:
    """Return the sentence with the last whole number, made another; nothing where there is none."""
    found = list(re.finditer(r"(?<![\w.,])\d{1,4}(?![\d.,])", evidence))
    if not found:
        return ""
    last = found[-1]
    span = next(span for span in sentences(evidence) if span.start <= last.start() < span.end)
    before, after = evidence[span.start : last.start()], evidence[last.end() : span.end]
    return f"{before}{int(last[0]) + 3}{after}"


def _write(path: Path, questions: Sequence[Question], judged: Sequence[Judged]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        for row in _failures(questions[: len(judged)], judged):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument(
        "--mode", choices=["extractive", "generative", "both", "check"], default="both"
    )
    parser.add_argument("--sets", nargs="*", default=["cmrc2018", "squad"])
    parser.add_argument("--cache", type=Path, default=Path(".bench-cache"))
    parser.add_argument("--minutes", type=float, default=60, help="stop asking after so many")
    parser.add_argument("--failures", type=Path, help="folder to write the wrong ones to")
    asyncio.run(_measure(parser.parse_args()))


if __name__ == "__main__":
    _main()
