"""Compares the engines of the local chat model: prompt and generated tokens a second, same words.

Usage: python bench/prompt.py MODEL.gguf [--rounds 3] [--threads N] [--tokens 32] [--json]

Both engines are started as wenqu starts them and are asked in turn, a prompt of some 250 and one of
some 550 tokens in each round, so that a machine that is busy for a while slows both; the median
round counts, and processor seconds of the child stand beside those of the clock. ``again`` is a
second question on the same evidence; ``fresh`` the first question of a new process, whose
instructions an earlier one has read.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from wenqu.models.child import KEY_VARIABLE, READY, WAITING
from wenqu.models.llamacpp import _MODULES
from wenqu.models.memory import cores
from wenqu.text import prompts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from wenqu.models.llama_engine import Engine

_KEY = "bench"
_CONTEXT = 4096
_TICKS = os.sysconf("SC_CLK_TCK")
_TOPICS = ("visitors", "keys", "parking", "meals", "travel", "leave", "tools", "rooms", "phones")
# Facts of some 16 tokens each: 250 and 550 tokens.
_FACTS = {"short": 14, "long": 32}


class Child:
    """One engine in its process, as wenqu runs it."""

    def __init__(self, engine: Engine, model: Path, threads: int, kept: Path) -> None:
        self.engine = engine
        self._folder = tempfile.TemporaryDirectory(prefix="wenqu-bench-")
        sock = Path(self._folder.name) / "llama.sock"
        command = [sys.executable, "-m", _MODULES[engine], "--model", str(model)]
        command += ["--context", str(_CONTEXT), "--threads", str(threads), "--socket", str(sock)]
        command += ["--prompts", str(kept), "--slots", "1"] if engine == "ik_llama.cpp" else []
        begun = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**WAITING, **os.environ, KEY_VARIABLE: _KEY},
            text=True,
        )
        for line in self._process.stdout or ():
            if line.startswith(READY):
                break
        self.load_s = time.perf_counter() - begun
        self._client = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(sock)),
            headers={"Authorization": f"Bearer {_KEY}"},
            timeout=600,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def ask(self, turns: Sequence[tuple[str, str]], tokens: int, **extra: object) -> dict[str, Any]:
        """Return the reply, its timings, and the processor seconds that it took."""
        body = {
            "messages": [{"role": role, "content": text} for role, text in turns],
            "max_tokens": tokens,
            "temperature": 0,
            "cache_prompt": True,
            **extra,
        }
        cpu_s, begun = self.cpu_s(), time.perf_counter()
        reply = self._client.post("http://llama.cpp/v1/chat/completions", json=body)
        wall_s = time.perf_counter() - begun
        reply.raise_for_status()
        answer: dict[str, Any] = reply.json()
        text = answer["choices"][0]["message"]["content"] if answer["choices"] else ""
        cpu_s = self.cpu_s() - cpu_s
        return {**answer.get("timings", {}), "text": text, "cpu_s": cpu_s, "wall_s": wall_s}

    def cpu_s(self) -> float:
        """Return the processor seconds that the child has used; 0 where there is no /proc."""
        try:
            line = Path(f"/proc/{self._process.pid}/stat").read_text("utf-8")
        except OSError:
            return 0.0
        fields = line.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def evidence(round_: int, size: str, subject: int = 0) -> str:
    """Return evidence and a question; other facts for each, so that none is remembered."""
    facts = [
        f"Rule {round_ * 100 + at} on {_TOPICS[(at + round_) % len(_TOPICS)]}: "
        f"desk {at * 7 + round_} decides within {at + 2} days."
        for at in range(_FACTS[size])
    ]
    asked = f"Which desk decides on {_TOPICS[(subject + round_) % len(_TOPICS)]}?"
    head = ["Documents:", f"<doc 1> {size.title()} rules {round_}"]
    return "\n".join([*head, *facts, "</doc>", f"Question: {asked}"])


def question(round_: int, size: str) -> list[tuple[str, str]]:
    """Return a prompt as wenqu builds it."""
    turns = [(message.role, message.text) for message in prompts.prefix("en")]
    return [*turns, ("user", evidence(round_, size))]


def measure(children: Sequence[Child], rounds: int, tokens: int) -> dict[str, dict[str, Any]]:
    """Return for each engine its medians, and what it said."""
    seen: dict[str, dict[str, list[Any]]] = {child.engine: {} for child in children}
    for round_ in range(rounds):
        for size in _FACTS:
            for child in children:
                note = seen[child.engine]
                # One token tells reading from speaking.
                turn = f"{round_} {size}"
                first = child.ask([("system", turn), ("user", evidence(round_, size))], 1)
                again = child.ask([("system", turn), ("user", evidence(round_, size, 1))], 1)
                answer = child.ask(question(round_, size), tokens)
                read = first["prompt_n"]
                rates = {
                    f"{size} tokens": read,
                    f"{size} tokens/s": read / first["prompt_ms"] * 1000,
                    f"{size} tokens/CPU s": read / max(first["cpu_s"], 1e-3),
                    f"{size} again, times sooner": first["wall_s"] / again["wall_s"],
                    "generated/s": (answer["predicted_n"] - 1) / answer["predicted_ms"] * 1000,
                    "said": answer["text"],
                }
                print(child.engine, rates, file=sys.stderr)
                for name, value in rates.items():
                    note.setdefault(name, []).append(value)
    return {engine: _medians(note) for engine, note in seen.items()}


def _medians(note: dict[str, list[Any]]) -> dict[str, Any]:
    said = note.pop("said")
    return {**{name: statistics.median(values) for name, values in note.items()}, "said": said}


def main() -> None:
    """Print a row for each figure: llama.cpp, ik_llama.cpp, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    print(f"load of the machine at the start: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as kept:
        open_ = (given.model, given.threads, Path(kept))
        with Child("llama.cpp", *open_) as stock, Child("ik_llama.cpp", *open_) as fast:
            figures = measure([stock, fast], given.rounds, given.tokens)
            for child in (stock, fast):
                figures[child.engine]["load s"] = child.load_s
            beginning = question(0, "short")[:-1]
            fast.ask(beginning, 0, warm=True)
        fresh = [first_question(engine, *open_) for engine in ("llama.cpp", "ik_llama.cpp")]
    for engine, seconds in zip(figures, fresh, strict=True):
        figures[engine]["fresh, s"] = seconds
    same = [
        a == b for a, b in zip(*(figures[engine].pop("said") for engine in figures), strict=True)
    ]
    if given.json:
        print(json.dumps({**figures, "same replies": f"{sum(same)}/{len(same)}"}, indent=1))
        return
    stock_row, fast_row = figures["llama.cpp"], figures["ik_llama.cpp"]
    for name in stock_row:
        a, b = stock_row[name], fast_row[name]
        print(f"{name:28} {a:9.2f} {b:9.2f}  x {b / a:.2f}")
    print(f"same replies: {sum(same)} of {len(same)}")


def first_question(engine: Engine, model: Path, threads: int, kept: Path) -> float:
    """Return the seconds from the start of a process to the first token of its first answer."""
    begun = time.perf_counter()
    with Child(engine, model, threads, kept) as child:
        if engine == "ik_llama.cpp":
            child.ask(question(0, "short")[:-1], 0, warm=True)
        child.ask(question(9, "short"), 1)
        return time.perf_counter() - begun


if __name__ == "__main__":
    main()
