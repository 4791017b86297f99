"""Makes of a question what is searched for: completed, reworded, taken apart, imagined.

Rules decide whether a question leans on its conversation; only then is a chat model asked to
complete it, and where there is none, or it fails, or runs out of time, the words of the user's
earlier turns complete it. What the user asked is always searched for too. Everything else is done
only where it is asked for, and each step has a time budget.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenqu.text import rewrite_prompts as prompts
from wenqu.text.followup import Leaning, complete, leaning
from wenqu.text.normalize import fold
from wenqu.text.split import parts
from wenqu.types import Query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from wenqu.options import AskOptions
    from wenqu.pipeline.stopwatch import Stopwatch
    from wenqu.protocols import ChatModel
    from wenqu.types import Message

__all__ = ["Rephraser"]

_MAX_WORDINGS = 4

_LONGEST = 400
"""Characters beyond which a question is taken to say what it is about."""
_REWRITE_TOKENS = 48
_WORDING_TOKENS = 40
_PASSAGE_TOKENS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Rephraser:
    """Holds nothing between questions: the same question and options give the same query.

    Args:
        chat: Completes and rewords; None leaves it to rules.
        budget_s: Seconds to complete a question; 0 leaves that to rules.
        expand_budget_s: Seconds for other wordings and an imagined passage together.
    """

    chat: ChatModel | None = None
    budget_s: float = 8.0
    expand_budget_s: float = 20.0

    async def query(self, question: str, how: AskOptions, watch: Stopwatch) -> Query:
        """Return what to search for.

        Args:
            question: As the user asked it, normalised.
            how: The conversation, and what is wanted; ``use_llm`` False leaves it to rules.
            watch: Told of the stages ``followup``, ``rewrite`` and ``rewritten`` (why its reply was
                refused), ``split`` and ``expand``, of those that took place.
        """
        chat = self.chat if how.use_llm else None
        text, variants = await self._standalone(chat, question, how.history, watch)
        if how.split:
            with watch.stage("split") as detail:
                found = parts(text)
                detail["parts"] = len(found)
            variants = [*variants, *found]
        passages: tuple[str, ...] = ()
        if chat and (how.wordings > 0 or how.imagine):
            wordings, passages = await self._expanded(chat, text, how, watch)
            variants = [*variants, *wordings]
        return Query(text=text, variants=_unlike(variants, text), passages=passages)

    async def _standalone(
        self,
        chat: ChatModel | None,
        question: str,
        history: Sequence[Message],
        watch: Stopwatch,
    ) -> tuple[str, list[str]]:
        """Return the question as it stands by itself, and what else to search for."""
        turns = [message.text for message in history if message.role == "user"]
        if not turns or len(question) > _LONGEST:
            return question, []
        with watch.stage("followup") as detail:
            leans = leaning(question)
            completed = complete(question, turns) if leans else None
            detail["leans"] = leans.value if leans else None
        if leans is None:
            return question, []
        if leans is Leaning.PERHAPS:
            return question, [completed] if completed else []
        ask = chat if self.budget_s else None
        written = await self._rewritten(ask, question, history, watch) if ask else None
        text = written or completed or question
        return text, [question, *([completed] if completed else [])]

    async def _rewritten(
        self, chat: ChatModel, question: str, history: Sequence[Message], watch: Stopwatch
    ) -> str | None:
        language = prompts.language_of(question, history)
        prompt = prompts.rewrite_prompt(question, history, language)
        lines: list[str] = []
        await watch.within("rewrite", self.budget_s, _read(chat, prompt, _REWRITE_TOKENS, lines, 1))
        if not lines:
            return None
        with watch.stage("rewritten") as detail:
            read = prompts.read_rewrite(lines[0], question, history, language)
            if isinstance(read, prompts.Refused):
                detail["refused"] = read.value
                return None
        return read

    async def _expanded(
        self, chat: ChatModel, text: str, how: AskOptions, watch: Stopwatch
    ) -> prompts.Expansion:
        language = prompts.language_of(text, how.history)
        count = min(how.wordings, _MAX_WORDINGS)
        prompt = prompts.expand_prompt(text, language, wordings=count, imagine=how.imagine)
        tokens = count * _WORDING_TOKENS + how.imagine * _PASSAGE_TOKENS
        lines: list[str] = []
        wanted = count + how.imagine
        # What was written before the time was up is used.
        await watch.within(
            "expand", self.expand_budget_s, _read(chat, prompt, tokens, lines, wanted)
        )
        return prompts.read_expansion(lines, text, language, wordings=count, imagine=how.imagine)


async def _read(
    chat: ChatModel, prompt: Sequence[Message], tokens: int, lines: list[str], wanted: int
) -> bool:
    """Add lines to ``lines`` as the model ends them, until there are enough; it is stopped then."""
    async with aclosing(_lines(chat, prompt, tokens)) as written:
        async for line in written:
            lines.append(line)
            if len(lines) >= wanted:
                break
    return True


async def _lines(chat: ChatModel, prompt: Sequence[Message], tokens: int) -> AsyncGenerator[str]:
    text = ""
    async with aclosing(chat.stream(prompt, tokens)) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            text += piece
            *whole, text = text.split("\n")
            for line in whole:
                if line.strip():
                    yield line.strip()
    if text.strip():
        yield text.strip()


def _unlike(texts: Iterable[str], text: str) -> tuple[str, ...]:
    """Return the texts that differ from ``text`` and from one another."""
    seen = {fold(text)}
    kept: list[str] = []
    for one in texts:
        if fold(one) not in seen:
            seen.add(fold(one))
            kept.append(one)
    return tuple(kept)
