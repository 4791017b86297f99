"""What rewriting a question is worth, and what it costs: docs/adr/0018-rewriting.md.

    python bench/rewrite.py --data DIR --models DIR [--no-model] [--only followups ...]

``followups``: whether the rules know the questions of data/followups.jsonl that lean on their
conversation, and what of the words that a rewrite must have the rules and the chat model keep.
``conversations``: recall of the passage that answers the last question of data/conversations.jsonl,
and of questions whose conversation is about something else. ``expand``: questions of the public
sets with other wordings, an imagined passage, and taken apart. Replies of the model are kept in
``--cache`` with the seconds they took, so that a second run asks nothing twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import statistics
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from corpora import HERE, Lab, arguments
from wenqu.app_models import DEFAULT_CHAT_MODEL
from wenqu.errors import ModelError
from wenqu.evaluation.metrics import documents_of, measure, run_of
from wenqu.models.catalog import find
from wenqu.models.e5 import open_embedder
from wenqu.models.llamacpp import LlamaCppChat
from wenqu.options import AskOptions
from wenqu.pipeline.gate import HITS, decide
from wenqu.pipeline.rephrase import Rephraser
from wenqu.pipeline.stopwatch import Stopwatch
from wenqu.text import rewrite_prompts as prompts
from wenqu.text.followup import Leaning, complete, leaning
from wenqu.text.fusion import fuse, merge
from wenqu.text.normalize import fold
from wenqu.text.split import parts
from wenqu.types import Message, Query

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from corpora import Candidates, Shelf
    from wenqu.models.e5 import E5Embedder
    from wenqu.protocols import ChatModel

EXPAND_SETS = ("lecoqa", "clapnq", "dureader_demo")
LEXICAL_WEIGHT = 0.5


@dataclass
class CachedChat:
    """A chat model whose replies, with their seconds, are kept in a file."""

    chat: ChatModel
    file: Path
    replies: dict[str, list[Any]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.file.exists():
            self.replies = json.loads(self.file.read_text("utf-8"))

    @property
    def name(self) -> str:
        """The model's name."""
        return self.chat.name

    @property
    def evidence_tokens(self) -> int:
        """As the model says."""
        return self.chat.evidence_tokens

    async def stream(self, messages: Sequence[Message], max_tokens: int) -> AsyncGenerator[str]:
        """Yield a reply, kept or new; one that is closed early is kept as far as it came."""
        told = "\0".join([str(max_tokens), *(f"{one.role}\1{one.text}" for one in messages)])
        key = hashlib.blake2b(told.encode(), digest_size=12).hexdigest()
        if key in self.replies:
            text, seconds = self.replies[key]
            self.seconds.append(seconds)
            yield text
            return
        begun, text, failed = perf_counter(), "", False
        try:
            async with aclosing(self.chat.stream(messages, max_tokens)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    text += piece
                    yield piece
        except ModelError:
            failed = True
            raise
        finally:
            if not failed:
                self._keep(key, text, perf_counter() - begun)

    def _keep(self, key: str, text: str, seconds: float) -> None:
        self.replies[key] = [text, seconds]
        self.seconds.append(seconds)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(self.replies, ensure_ascii=False), "utf-8")

    async def close(self) -> None:
        """Free the model."""
        await self.chat.close()

    def told(self) -> str:
        """Return seconds a call since this was last asked."""
        taken, self.seconds = sorted(self.seconds), []
        if not taken:
            return "no call"
        late = taken[min(len(taken) - 1, int(0.9 * len(taken)))]
        return f"{len(taken)} calls, p50 {statistics.median(taken):.1f} s, p90 {late:.1f} s"


def rows_of(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file of data/."""
    return [json.loads(line) for line in (HERE / "data" / name).open(encoding="utf-8")]


def history_of(row: dict[str, Any]) -> tuple[Message, ...]:
    """Return a row's conversation."""
    return tuple(Message(role=one["role"], text=one["text"]) for one in row["history"])


def turns_of(row: dict[str, Any]) -> list[str]:
    """Return what the user said before."""
    return [one["text"] for one in row["history"] if one["role"] == "user"]


async def rewritten(chat: ChatModel, row: dict[str, Any]) -> str | prompts.Refused:
    """Return what the model makes of a row's question, or why it is not used."""
    history, question = history_of(row), row["question"]
    language = prompts.language_of(question, history)
    text = ""
    prompt = prompts.rewrite_prompt(question, history, language)
    async with aclosing(chat.stream(prompt, 48)) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            text += piece
            if "\n" in text.strip():
                break
    return prompts.read_rewrite(text, question, history, language)


def kept(text: str, terms: Sequence[str]) -> bool:
    """Say whether a rewrite has all the words that it must have."""
    return all(fold(term) in fold(text) for term in terms)


async def followups(chat: CachedChat | None, *, misses: bool) -> None:
    """Print how well the rules tell what leans, and what rewrites keep."""
    for language in ("zh", "en"):
        rows = [row for row in rows_of("followups.jsonl") if row["lang"] == language]
        told = {row["id"]: leaning(row["question"]) for row in rows}
        for name, counted in (("sure", (None, Leaning.PERHAPS)), ("with perhaps", (None,))):
            yes = [row for row in rows if told[row["id"]] not in counted]
            right = sum(row["needs"] for row in yes)
            wanted = sum(row["needs"] for row in rows)
            print(
                f"{language} rules, {name:13} precision {right / len(yes):.3f}"
                f"  recall {right / wanted:.3f}  of {len(rows)}, {wanted} lean"
            )
        leaning_rows = [row for row in rows if row["needs"]]
        ruled = [complete(row["question"], turns_of(row)) or "" for row in leaning_rows]
        share = sum(kept(text, row["terms"]) for text, row in zip(ruled, leaning_rows, strict=True))
        print(f"{language} completed by rules: all key terms {share / len(leaning_rows):.3f}")
        if chat:
            await model_rewrites(chat, language, leaning_rows, misses=misses)


async def model_rewrites(
    chat: CachedChat, language: str, rows: Sequence[dict[str, Any]], *, misses: bool
) -> None:
    """Print what the model's rewrites keep."""
    good, refused, either = 0, 0, 0
    for row in rows:
        text = await rewritten(chat, row)
        ok = not isinstance(text, prompts.Refused) and kept(text, row["terms"])
        good += ok
        refused += isinstance(text, prompts.Refused)
        either += ok or kept(complete(row["question"], turns_of(row)) or "", row["terms"])
        if misses and not ok:
            print(f"   {row['question']} -> {text!r}   wanted: {row['standalone']}")
    print(
        f"{language} completed by the model: all key terms {good / len(rows):.3f},"
        f" in one of both {either / len(rows):.3f}, refused {refused}; {chat.told()}"
    )


async def ranked(
    embedder: E5Embedder, shelf: Shelf, query: Query, answered: list[bool] | None = None
) -> list[str]:
    """Return documents, best first, as the finder ranks them; tell ``answered`` of the gate."""
    fused: list[dict[str, float]] = []
    for text in (query.text, *query.variants):
        vector = (await embedder.embed([text], "query"))[0]
        found = await shelf.candidates(text, vector)
        fused.append(fuse_found(found))
        if answered is not None and text is query.text:
            hits = shelf.hits(found, fused[0], HITS)
            answered.append(decide(text, hits).outcome is None)
    for text in query.passages:
        vector = (await embedder.embed([text], "passage"))[0]
        found = await shelf.candidates(query.text, vector)
        fused.append(fuse({}, found.dense, lexical_weight=0.0))
    order = merge(fused[0], fused[1:]).items()
    owners = [(shelf.chunks[key].document_id, score) for key, score in order]
    return [one for one, _ in documents_of(owners)]


def fuse_found(found: Candidates) -> dict[str, float]:
    """Return the fused scores of what both sides found for one text."""
    return fuse(
        found.lexical, found.dense, lexical_weight=LEXICAL_WEIGHT, lexical_limit=found.limit
    )


def figures(qrels: dict[str, dict[str, int]], run: dict[str, list[str]]) -> str:
    """Return recall@1, recall@5 and nDCG@10."""
    judged = {one: qrels[one] for one in run}
    got = measure(judged, run_of(run))
    return f"{got['recall@1']:.3f}/{got['recall@5']:.3f}/{got['nDCG@10']:.3f}"


async def conversations(lab: Lab, embedder: E5Embedder, chat: CachedChat | None) -> None:
    """Print recall for the last questions of conversations."""
    for name in ("cmrc2018", "clapnq"):
        dataset = lab.dataset(name)
        texts = {query.id: query.text for query in dataset.queries}
        rows = [row for row in rows_of("conversations.jsonl") if row["dataset"] == name]
        async with lab.shelf(name) as shelf:
            runs: dict[str, dict[str, list[str]]] = {}
            gate: dict[str, list[bool]] = {}
            for row in rows:
                ways = await ways_of(row, texts[row["id"]], chat)
                for way, query in ways.items():
                    told = gate.setdefault(way, [])
                    runs.setdefault(way, {})[row["id"]] = await ranked(embedder, shelf, query, told)
            for way, run in runs.items():
                share = sum(gate[way]) / len(rows)
                print(
                    f"{name:9} {len(rows):3} {way:34} {figures(dataset.qrels, run)}"
                    f"  let through {share:.3f}"
                )
            if chat:
                print(f"{name:9}     the model: {chat.told()}")
            await shifted(lab, embedder, shelf, name)


async def ways_of(row: dict[str, Any], gold: str, chat: CachedChat | None) -> dict[str, Query]:
    """Return what may be searched for, by the way it was made."""
    question = row["question"]
    ruled = complete(question, turns_of(row)) or question
    how = AskOptions(history=history_of(row), use_llm=False)
    ways = {
        "as asked": Query(text=question),
        "last turn and this one": Query(text=f"{turns_of(row)[-1]} {question}"),
        "by rules": Query(text=ruled),
        "by rules, and as asked": Query(text=ruled, variants=(question,)),
        "Rephraser without a model": await Rephraser().query(question, how, Stopwatch()),
    }
    if chat:
        text = await rewritten(chat, row)
        model = ruled if isinstance(text, prompts.Refused) else text
        ways |= {
            "by the model": Query(text=model),
            "by the model, and as asked": Query(text=model, variants=(question,)),
            "by the model, by rules, as asked": Query(text=model, variants=(question, ruled)),
            "Rephraser": await Rephraser(chat=chat, budget_s=120).query(
                question, replace(how, use_llm=True), Stopwatch()
            ),
        }
    return ways | {"the set's own question": Query(text=gold)}


async def shifted(lab: Lab, embedder: E5Embedder, shelf: Shelf, name: str) -> None:
    """Print recall for whole questions after a conversation about something else."""
    dataset = lab.dataset(name)
    asked = sorted((q for q in dataset.judged if q.answerable), key=lambda query: query.id)
    random.Random(7).shuffle(asked)  # noqa: S311 - a draw that anybody can repeat
    runs: dict[str, dict[str, list[str]]] = {"alone": {}, "after another": {}}
    leans = 0
    for query, before in zip(asked[:150], asked[150:300], strict=True):
        history = (Message(role="user", text=before.text), Message(role="assistant", text="…"))
        how = AskOptions(history=history, use_llm=False)
        made = await Rephraser().query(query.text, how, Stopwatch())
        leans += made.variants != ()
        runs["alone"][query.id] = await ranked(embedder, shelf, Query(text=query.text))
        runs["after another"][query.id] = await ranked(embedder, shelf, made)
    told = "  ".join(f"{way} {figures(dataset.qrels, run)}" for way, run in runs.items())
    print(f"{name:9} 150 topic changed, {leans} taken to lean: {told}")


async def expand(lab: Lab, embedder: E5Embedder, chat: CachedChat, count: int) -> None:
    """Print what other wordings and an imagined passage change on the public sets."""
    for name in EXPAND_SETS:
        dataset = lab.dataset(name)
        asked = sorted((q for q in dataset.judged if q.answerable), key=lambda query: query.id)
        random.Random(11).shuffle(asked)  # noqa: S311 - a draw that anybody can repeat
        runs: dict[str, dict[str, list[str]]] = {}
        rephraser = Rephraser(chat=chat, expand_budget_s=120)
        async with lab.shelf(name) as shelf:
            for query in asked[:count]:
                how = AskOptions(wordings=2, imagine=True)
                made = await rephraser.query(query.text, how, Stopwatch())
                ways = {
                    "as asked": Query(text=query.text),
                    "+ 2 wordings": replace(made, passages=()),
                    "+ a passage": replace(made, variants=()),
                    "+ both": made,
                }
                for way, one in ways.items():
                    runs.setdefault(way, {})[query.id] = await ranked(embedder, shelf, one)
        for way, run in runs.items():
            print(f"{name:14} {len(run):3} {way:14} {figures(dataset.qrels, run)}")
        print(f"{name:14}     {chat.told()}")


async def split(lab: Lab, embedder: E5Embedder) -> None:
    """Print recall for pairs of questions asked as one, whole and taken apart."""
    for name, joint in (("cmrc2018", ""), ("clapnq", " and ")):
        dataset = lab.dataset(name)
        asked = sorted((q for q in dataset.judged if q.answerable), key=lambda query: query.id)
        random.Random(5).shuffle(asked)  # noqa: S311 - a draw that anybody can repeat
        pairs = list(zip(asked[:100], asked[100:200], strict=True))
        whole: dict[str, list[str]] = {}
        apart: dict[str, list[str]] = {}
        qrels: dict[str, dict[str, int]] = {}
        seen = 0
        async with lab.shelf(name) as shelf:
            for first, second in pairs:
                text = f"{first.text}{joint}{second.text}"
                found = parts(text)
                seen += bool(found)
                qrels[first.id] = dataset.qrels[first.id] | dataset.qrels[second.id]
                whole[first.id] = await ranked(embedder, shelf, Query(text=text))
                apart[first.id] = await ranked(embedder, shelf, Query(text=text, variants=found))
        print(
            f"{name:9} 100 pairs, {seen} taken apart: whole {figures(qrels, whole)}"
            f"  apart {figures(qrels, apart)}"
        )


async def main(options: argparse.Namespace) -> None:
    """Run what is asked for."""
    embedder = open_embedder(find("multilingual-e5-small"), options.models, threads=options.threads)
    lab = Lab(
        options.data,
        options.cache,
        embedder,
        projects=options.projects,
        documents=options.documents,
    )
    chat = None
    if options.model:
        path = options.models / find(DEFAULT_CHAT_MODEL).file
        local = LlamaCppChat(path, name=DEFAULT_CHAT_MODEL, threads=options.threads)
        chat = CachedChat(local, options.cache / "rewrite-replies.json")
    try:
        if "followups" in options.only:
            await followups(chat, misses=options.misses)
        if "conversations" in options.only:
            await conversations(lab, embedder, chat)
        if "split" in options.only:
            await split(lab, embedder)
        if "expand" in options.only and chat:
            await expand(lab, embedder, chat, options.questions)
    except ModelError as error:
        print(error)
    finally:
        if chat:
            await chat.close()


if __name__ == "__main__":
    parser = arguments(__doc__ or "")
    parser.add_argument("--no-model", dest="model", action="store_false", help="rules alone")
    parser.add_argument("--misses", action="store_true", help="print rewrites that lost a word")
    parser.add_argument("--questions", type=int, default=40, help="questions a set of expand")
    parser.add_argument(
        "--only",
        nargs="*",
        default=["followups", "conversations", "split", "expand"],
        help="followups, conversations, split, expand",
    )
    asyncio.run(main(parser.parse_args()))
