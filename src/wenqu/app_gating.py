"""The gate of a knowledge base: fitted from examples, explained, shown, forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenqu.options import SearchOptions
from wenqu.text.normalize import normalize
from wenqu.types import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wenqu.app_parts import AppParts
    from wenqu.evaluation.calibrate import Calibration, GateExample
    from wenqu.pipeline.gate import Gate, GateDecision
    from wenqu.types import Hit

__all__ = ["EVIDENCE_HITS", "GateTest", "Gating"]

EVIDENCE_HITS = 12
"""Hits that the gate looks at and that evidence is chosen from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTest:
    """A decision with the gate that made it, and the hits it was made on."""

    gate: Gate
    decision: GateDecision
    hits: Sequence[Hit]


class Gating:
    """Fits and explains gates on the search that users get.

    Args:
        app: Whose search and stores these are.
    """

    def __init__(self, app: AppParts) -> None:
        self._app = app

    async def fit(
        self,
        kb: int,
        accept: Sequence[str],
        reject: Sequence[str],
        *,
        keep: float | None = None,
        store: bool = True,
        on_progress: Callable[[int, int], None] = lambda *_: None,
    ) -> Calibration:
        """Fit a gate from questions that it should accept and reject, and keep it.

        Args:
            kb: Id of the knowledge base.
            accept: Questions that its documents answer.
            reject: Questions that they do not, or that are none.
            keep: Share of the former to be answered; None takes the best F1.
            store: Whether the gate is kept, and used from now on.
            on_progress: Told how many questions were asked, and of how many.

        Raises:
            InputError: There are too few questions of a kind, or one is of both.
            StoreError: The gate cannot be kept.
        """
        from wenqu.evaluation.calibrate import calibrate
        from wenqu.protocols import StoredGate

        wanted = [(text, True) for text in accept] + [(text, False) for text in reject]
        examples: list[GateExample] = []
        for text, accepted in dict.fromkeys(wanted):
            examples.append(await self._example(kb, text, accept=accepted))
            on_progress(len(examples), len(wanted))
        found = calibrate(examples, keep=keep)
        if store:
            embedder = (await self._app.embedder()).fingerprint
            data = {**found.model.to_data(), "about": found.about()}
            await self._app.gates.put(kb, StoredGate(embedder=embedder, data=data))
        return found

    async def test(self, kb: int, question: str) -> GateTest:
        """Ask the gate of a knowledge base about a question, without answering it.

        Raises:
            InputError: The question is empty or too long.
        """
        hits = await self._hits(kb, normalize(question))
        gate = await self._app.gate(kb)
        return GateTest(gate=gate, decision=gate(normalize(question), hits), hits=hits)

    async def reset(self, kb: int) -> bool:
        """Forget the fitted gate; return whether there was one."""
        return await self._app.gates.delete(kb)

    async def _example(self, kb: int, text: str, *, accept: bool) -> GateExample:
        from wenqu.evaluation.calibrate import example_of

        question = normalize(text)
        return example_of(question, await self._hits(kb, question), accept=accept)

    async def _hits(self, kb: int, question: str) -> Sequence[Hit]:
        retriever = await self._app.retriever()
        found = await retriever.search(kb, Query(text=question), SearchOptions(top=EVIDENCE_HITS))
        return found.hits
