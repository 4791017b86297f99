"""Which engine runs a local model: llama.cpp always can, ik_llama.cpp only where it proved itself.

``tune`` asks both the same questions. ik_llama.cpp is chosen where it says the same and reads
prompts faster; what came out is kept beside the model, for this processor, these versions and this
file. Without such a verdict, or with one for other circumstances, llama.cpp is used. Nothing is
measured, compiled or fetched while somebody waits for an answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import json
import platform
import statistics
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wenqu.errors import ChatError
from wenqu.models.llama_ik import PACKAGE, VERSIONS
from wenqu.types import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wenqu.protocols import ChatModel

    Open = Callable[["Engine"], ChatModel]

__all__ = ["Engine", "Trial", "Verdict", "chosen", "tune", "unsuited", "verdict"]

Engine = Literal["llama.cpp", "ik_llama.cpp"]

_REVISION = 1
_STOCK_PACKAGE = "xllamacpp"
# What the package's library was compiled for; without these its first step is its last.
_INSTRUCTIONS = frozenset({"avx2", "fma", "f16c", "bmi2"})
_PROCESSOR = Path("/proc/cpuinfo")
# Faster by less is within what another process on the machine does to a measurement.
_WORTH_IT = 1.2
_NO_SLOWER = 0.85
_TOKENS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How one engine did: seconds until the first piece of each reply and for the rest."""

    replies: tuple[str, ...] = ()
    first_s: float = 0.0
    piece_s: float = 0.0
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What ``tune`` found; ``reason`` says why not ik_llama.cpp, where it is not."""

    engine: Engine
    fingerprint: str
    reason: str | None = None
    trials: dict[str, Trial] = field(default_factory=dict)

    @property
    def prompt_ratio(self) -> float | None:
        """How many times as fast the chosen engine reads a prompt, or None if not compared."""
        stock, fast = self.trials.get("llama.cpp"), self.trials.get("ik_llama.cpp")
        return stock.first_s / fast.first_s if stock and fast and fast.first_s else None


def chosen(path: Path) -> Engine:
    """Return the engine for the model in ``path``; reads two small files."""
    found = verdict(path)
    return found.engine if found is not None else "llama.cpp"


def verdict(path: Path) -> Verdict | None:
    """Return what ``tune`` found, if it still holds here."""
    try:
        found = json.loads(_file(path).read_text("utf-8"))
        trials = {name: _trial(**kept) for name, kept in found.pop("trials").items()}
        kept = Verdict(**found, trials=trials)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return kept if kept.fingerprint == _fingerprint(path) else None


def _trial(*, replies: Sequence[str], **other: Any) -> Trial:
    return Trial(replies=tuple(replies), **other)


def unsuited() -> str | None:
    """Say why ik_llama.cpp cannot run here, or None if it might."""
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return f"{PACKAGE}: not installed"
    if version not in VERSIONS:
        return f"{PACKAGE} {version}: not {', '.join(sorted(VERSIONS))}"
    if missing := sorted(_INSTRUCTIONS - _processor()[1]):
        return f"CPU: {', '.join(missing)}"
    return None


async def tune(path: Path, open_engine: Open, *, objection: str | None) -> Verdict:
    """Compare the engines on the model in ``path``, and keep what came out beside it.

    Takes about a minute on two cores. ``objection`` is what ``unsuited`` says.

    Raises:
        OSError: The verdict cannot be written.
    """
    reason = objection
    trials: dict[str, Trial] = {}
    if reason is None:
        for engine in ("ik_llama.cpp", "llama.cpp"):
            trials[engine] = await _try(open_engine(engine))
            if failure := trials[engine].failure:
                reason = failure
                break
        else:
            reason = _objection(trials["llama.cpp"], trials["ik_llama.cpp"])
    found = Verdict(
        engine="llama.cpp" if reason else "ik_llama.cpp",
        fingerprint=_fingerprint(path),
        reason=reason,
        trials=trials,
    )
    text = json.dumps(asdict(found), ensure_ascii=False, indent=1)
    await asyncio.to_thread(_write, _file(path), text)
    return found


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, "utf-8")
    part.replace(path)


def _objection(stock: Trial, fast: Trial) -> str | None:
    """Say why the fast engine should not be used, or None."""
    for expected, said in zip(stock.replies, fast.replies, strict=True):
        if expected != said:
            return f"{said!r}, not {expected!r}"
    if stock.first_s < fast.first_s * _WORTH_IT:
        return f"first word: {fast.first_s:.2f} s, not {stock.first_s:.2f} s"
    if fast.piece_s * _NO_SLOWER > stock.piece_s:
        return f"each word: {fast.piece_s:.3f} s, not {stock.piece_s:.3f} s"
    return None


async def _try(model: ChatModel) -> Trial:
    replies, firsts, pieces = [], [], []
    try:
        # The first question also loads the model.
        await _ask(model, [Message(role="user", text="1 + 1 =")])
        for messages in _questions():
            reply, first_s, piece_s = await _ask(model, messages)
            replies.append(reply)
            firsts.append(first_s)
            pieces.append(piece_s)
    except ChatError as error:
        return Trial(failure=error.message("en"))
    finally:
        await model.close()
    return Trial(
        replies=tuple(replies),
        first_s=statistics.median(firsts),
        piece_s=statistics.median(pieces),
    )


async def _ask(model: ChatModel, messages: Sequence[Message]) -> tuple[str, float, float]:
    begun = time.perf_counter()
    first = begun
    said: list[str] = []
    async for piece in model.stream(messages, _TOKENS):
        if not said:
            first = time.perf_counter()
        said.append(piece)
    return "".join(said), first - begun, (time.perf_counter() - first) / max(1, len(said) - 1)


def _questions() -> list[list[Message]]:
    """Return prompts of some 200 tokens whose reply is beyond doubt: to say a sentence again.

    An engine that computes wrongly does not get far with them; one that only rounds otherwise
    says the same.
    """
    return [
        [Message(role="user", text=ask + " ".join(facts) + "\n\n" + begin + facts[-1])]
        for ask, facts, begin in (
            (
                "Read this list.\n",
                [
                    f"Shelf {at} holds {at * 7} green books and {at + 3} maps."
                    for at in range(1, 16)
                ],
                "Repeat this sentence exactly, and nothing else: ",
            ),
            (
                "请读下面的清单。\n",
                [f"第{at}号仓库存有{at * 6}箱茶叶和{at + 4}袋大米。" for at in range(1, 16)],
                "请原样重复下面这句话，不要说别的：",
            ),
            (
                "Here are some lines.\n",
                [f"Train {at * 11} leaves from platform {at} at {at}:30." for at in range(1, 12)],
                "Repeat this sentence exactly, and nothing else: ",
            ),
        )
    ]


def _file(path: Path) -> Path:
    return path.with_name(path.name + ".engine.json")


def _fingerprint(path: Path) -> str:
    file = path.stat()
    processor, flags = _processor()
    facts = [_REVISION, processor, sorted(flags), file.st_size, file.st_mtime_ns]
    for package in (PACKAGE, _STOCK_PACKAGE):
        with suppress(importlib.metadata.PackageNotFoundError):
            facts.append(f"{package} {importlib.metadata.version(package)}")
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _processor() -> tuple[str, frozenset[str]]:
    """Return the processor's name and instruction sets; none are known but on Linux."""
    try:
        lines = _PROCESSOR.read_text("utf-8", "replace").split("\n\n", 1)[0].splitlines()
    except OSError:
        return platform.machine(), frozenset()
    said = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    return said.get("model name", ""), frozenset(said.get("flags", "").split())
