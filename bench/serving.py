"""Many at once: `wenqu llm serve` against a server that answers one question after another.

    python bench/serving.py --model FILE.gguf [--clients 1,3,5,10] [--rounds 2] [--max-tokens 24]
        [--engine llama.cpp|ik_llama.cpp]

Both run the same file with the same threads, each in a process of its own, and take turns at each
number of clients: the naive one by llama.cpp, wenqu by the engine that `wenqu models tune` found.
The naive one is what a tutorial builds: a server of the standard library around one model, which
takes the next request when it has answered the last. The exit code is 1 where wenqu does not reach
what is wanted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import httpx

from machine import cpu_s, machine, process_tree
from wenqu.evaluation.load import run_level
from wenqu.models.openai import OpenAIChat, Patience
from wenqu.types import Message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

    from wenqu.evaluation.load import Level
    from wenqu.types import Usage

_WANTED_TOKENS = 2.5
_WANTED_WAIT = 4.0
_START_S = 300.0
_TIMEOUT_S = 900.0
_NAME = "bench"
_QUESTIONS = (
    "讲讲北京的四季。",
    "Why is the sky blue?",
    "怎样煮一碗好吃的面？",
    "Tell me how a bicycle works.",
    "介绍一下唐诗。",
    "What does a compiler do?",
    "为什么要备份数据？",
    "Describe a day at the sea.",
    "说说学外语的好处。",
    "How do plants grow?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running server: its name in the table, where it answers, and its process."""

    name: str
    url: str
    pid: int

    def cpu_s(self) -> float:
        """Return the processor seconds that it and its children have used."""
        return sum(map(cpu_s, process_tree(self.pid)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one server did at one number of clients: tokens written, processor seconds used."""

    server: str
    level: Level
    tokens: int
    cpu: float

    def to_json(self) -> dict[str, Any]:
        """Return the level's figures; tokens are those that the server says it wrote."""
        return {
            "server": self.server,
            **self.level.to_json(),
            "tokens": self.tokens,
            "tokens_per_second": round(self.tokens / self.level.seconds, 2),
            "tokens_per_cpu_second": round(self.tokens / self.cpu, 2) if self.cpu else 0.0,
        }


def main() -> int:
    """Run both servers and print their figures; the exit code says whether they are as wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a GGUF file")
    parser.add_argument("--clients", default="1,3,5,10")
    parser.add_argument("--rounds", type=int, default=2, help="questions of each client")
    parser.add_argument("--max-tokens", type=int, default=24)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--parallel", type=int, help="answers at a time; default: wenqu's")
    parser.add_argument("--engine", help="what runs wenqu's; default: the one found best here")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--naive", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.naive is not None:
        serve_naively(given.model, given.naive, given.threads)
        return 0
    with _naive(given) as naive, _wenqu(given) as wenqu:
        rows = asyncio.run(_compare([naive, wenqu], given))
    figures = _figures(rows)
    if given.json:
        shown = [row.to_json() for row in rows]
        print(json.dumps({"machine": machine(), "rows": shown, **figures}))
    else:
        _show(rows, figures)
    return 0 if figures["reached"] else 1


async def _compare(servers: Sequence[Served], given: argparse.Namespace) -> list[Row]:
    levels = [int(one) for one in given.clients.split(",")]
    rows = []
    for server in servers:  # loads, and reads what all prompts have in common: nobody's wait
        async with _asking(server.url, 1, _nobody) as ask:
            await run_level(max(levels), 1, ask)
    for clients in levels:
        for server in servers:
            usages: list[Usage] = []
            before = server.cpu_s()
            async with _asking(server.url, given.max_tokens, usages.append) as ask:
                level = await run_level(clients, given.rounds, ask)
            tokens = sum(usage.completion_tokens for usage in usages)
            cpu = server.cpu_s() - before
            rows.append(Row(server=server.name, level=level, tokens=tokens, cpu=cpu))
            print(f"{server.name}: {clients} clients, {level.seconds:.1f} s", file=sys.stderr)
    return rows


def _nobody(_: Usage) -> None:
    pass


@asynccontextmanager
async def _asking(
    url: str, most: int, on_usage: Callable[[Usage], None]
) -> AsyncGenerator[Callable[[int], AsyncGenerator[str]]]:
    patience = Patience(first_s=_TIMEOUT_S, next_s=_TIMEOUT_S, retries=0)
    # Each answer has its full length: what is compared is speed, not talkativeness. One client
    # library for all: opening ten would be a part of the wait.
    chat = OpenAIChat(base_url=url, model=_NAME, patience=patience, extra={"ignore_eos": True})

    async def ask(number: int) -> AsyncGenerator[str]:
        question = f"{_QUESTIONS[number % len(_QUESTIONS)]} ({number + 1})"
        prompt = [Message(role="user", text=question)]
        async with aclosing(chat.stream(prompt, most, on_usage=on_usage)) as pieces:
            async for piece in pieces:
                yield piece

    try:
        yield ask
    finally:
        await chat.close()


def _figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Compare at the most clients: tokens with the naive server's, waits with those of one."""
    found = [row.to_json() for row in rows]
    most = max(row["clients"] for row in found)
    at = {(row["server"], row["clients"]): row for row in found}
    naive, wenqu = at["naive", most], at["wenqu", most]
    one = at.get(("wenqu", 1))
    tokens = wenqu["tokens_per_second"] / naive["tokens_per_second"]
    wait = wenqu["wait_s"]["mean"] / one["wait_s"]["mean"] if one and most > 1 else None
    failed = sum(row["failed"] for row in found)
    good = tokens >= _WANTED_TOKENS and (wait is None or wait <= _WANTED_WAIT) and not failed
    return {
        "clients": most,
        "tokens_ratio": round(tokens, 2),
        "tokens_per_cpu_ratio": round(
            wenqu["tokens_per_cpu_second"] / naive["tokens_per_cpu_second"], 2
        ),
        "wait_ratio": None if wait is None else round(wait, 2),
        "naive_wait_ratio": round(naive["wait_s"]["mean"] / at["naive", 1]["wait_s"]["mean"], 2)
        if ("naive", 1) in at
        else None,
        "failed": failed,
        "reached": good,
    }


def _show(rows: Sequence[Row], figures: dict[str, Any]) -> None:
    print(machine())
    print(f"{'server':8}{'clients':>8}{'mean s':>9}{'p95 s':>9}{'first s':>9}{'tok/s':>8}", end="")
    print(f"{'tok/cpu s':>11}{'failed':>8}")
    for row in rows:
        shown = row.to_json()
        wait, first = shown["wait_s"], shown["first_token_s"]
        print(f"{row.server:8}{row.level.clients:>8}{wait['mean']:>9.2f}", end="")
        print(f"{wait['p95']:>9.2f}{first['mean']:>9.2f}{shown['tokens_per_second']:>8.1f}", end="")
        print(f"{shown['tokens_per_cpu_second']:>11.2f}{shown['failed']:>8}")
    most, tokens = figures["clients"], figures["tokens_ratio"]
    print(f"tokens/s at {most}: {tokens} x naive (wanted {_WANTED_TOKENS});", end=" ")
    print(f"a processor second: {figures['tokens_per_cpu_ratio']} x")
    print(f"mean wait at {most}: {figures['wait_ratio']} x that of 1", end=" ")
    print(f"(wanted {_WANTED_WAIT}); naive: {figures['naive_wait_ratio']} x;", end=" ")
    print(f"failed: {figures['failed']}")


@contextmanager
def _naive(given: argparse.Namespace) -> Iterator[Served]:
    port = _free_port()
    command = [sys.executable, __file__, "--model", given.model, "--naive", str(port)]
    with _running([*command, "--threads", str(given.threads)], port, "naive") as served:
        yield served


@contextmanager
def _wenqu(given: argparse.Namespace) -> Iterator[Served]:
    port = _free_port()
    command = [sys.executable, "-m", "wenqu", "llm", "serve", given.model, "--name", _NAME]
    command += ["--parallel", str(given.parallel)] if given.parallel else []
    command += ["--engine", given.engine] if given.engine else []
    threads = {"WENQU_MODELS__THREADS": str(given.threads)}
    with _running([*command, "--port", str(port)], port, "wenqu", threads) as served:
        yield served


@contextmanager
def _running(
    command: Sequence[str], port: int, name: str, more: dict[str, str] | None = None
) -> Iterator[Served]:
    with subprocess.Popen(
        command, env={**os.environ, **(more or {})}, stdout=subprocess.DEVNULL
    ) as process:
        try:
            _await_health(process, f"http://127.0.0.1:{port}/health")
            yield Served(name=name, url=f"http://127.0.0.1:{port}/v1", pid=process.pid)
        finally:
            process.terminate()


def _await_health(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url, timeout=5.0, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{url} does not answer")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def serve_naively(model: str, port: int, threads: int) -> None:
    """Answer one request after another with a model in this process; never returns."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as wenqu's

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.ui = params.fit_params = False
    params.offline = True
    params.n_parallel = 1
    params.n_ctx = 4096
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.verbosity = 0
    llama = xllamacpp.Server(params)

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            llama.handle_chat_completions(body, self._send)
            self.wfile.write(b"data: [DONE]\n\n")

        def _send(self, event: Any) -> bool:
            for one in event if isinstance(event, list) else [event]:
                self.wfile.write(f"data: {json.dumps(one)}\n\n".encode())
            return False

        def log_message(self, *_: Any) -> None:
            pass

    class Server(HTTPServer):
        request_queue_size = 64

    Server(("127.0.0.1", port), Door).serve_forever()


if __name__ == "__main__":
    raise SystemExit(main())
