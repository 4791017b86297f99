"""Times the stages of a run, and keeps what each says of itself."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from wenqu.errors import WenquError
from wenqu.types import Stage, Trace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

__all__ = ["Stopwatch"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Collects the stages of a run, in the order in which they ended."""

    stages: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str, **detail: object) -> Iterator[dict[str, object]]:
        """Time the block; what it puts into the mapping is kept with the stage."""
        begun = perf_counter()
        yield detail
        self.stages.append(Stage(name=name, ms=_since(begun), detail=detail))

    def skip(self, name: str, reason: str, *, ms: float = 0.0) -> None:
        """Note that a stage was left out, and why."""
        self.stages.append(Stage(name=name, ms=ms, skipped=reason))

    async def within(self, name: str, budget_s: float, work: Awaitable[T]) -> T | None:
        """Await ``work`` as a stage of at most ``budget_s`` seconds.

        Where that is not enough, or wenqu fails in it, the stage is noted as skipped and None
        returned: what can do without the stage goes on.
        """
        begun = perf_counter()
        try:
            async with asyncio.timeout(budget_s):
                done = await work
        except TimeoutError:
            self.skip(name, f"> {budget_s:g} s", ms=_since(begun))
            return None
        except WenquError as error:
            self.skip(name, error.phrase, ms=_since(begun))
            return None
        self.stages.append(Stage(name=name, ms=_since(begun)))
        return done

    def trace(self) -> Trace:
        """Return what was collected."""
        return Trace(stages=tuple(self.stages))


def _since(begun: float) -> float:
    return (perf_counter() - begun) * 1e3
