"""What wenqu adds to each token of many streamed chats.

    python bench/streams.py [--chats 200] [--slots 64] [--speed 10] [--tokens 50] [--in-step]

A scripted server of OpenAI's protocol writes so many answers at a time, each at a fixed speed, and
puts into each token its number, the answer's length and the time of sending. Lengths differ by up
to two fifths, as those of real answers do: else 64 answers would end at the same instant. The
clients read it at first directly and then through plain chats of `wenqu serve`; each of the three
is a process of its own. wenqu is told to ask for so many answers at a time, and to let the other
chats wait. The exit code is 1 where wenqu adds more than what is wanted, refuses a chat, or loses
or reorders a token.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from machine import cpu_s, machine, percentile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WANTED_MS = {50: 5.0, 99: 25.0}
_STATUS = re.compile(rb"HTTP/1\.1 ([45]\d\d)")
_TOKEN = re.compile(rb"<(\d+)/(\d+)@(\d+)>")
_START_S = 60.0
_END = {"openai": b"[DONE]", "wenqu": b"event: answer"}
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How the scripted server writes: answers at a time, tokens a second of each, and of all."""

    slots: int
    speed: float
    tokens: int
    in_step: bool


@dataclass(slots=True, kw_only=True)
class Heard:
    """What one client heard: numbers of tokens in order of arrival, and the ms each was under way.

    ``length`` is how many the answer has. ``ended`` says whether the stream came to its proper end,
    ``refused`` with what status it never began.
    """

    numbers: list[int] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    length: int = 0
    ended: bool = False
    refused: int = 0


class ScriptedServer(asyncio.Protocol):
    """One connection of the scripted server."""

    def __init__(self, script: Script, slots: asyncio.Semaphore) -> None:
        self._script = script
        self._slots = slots
        self._received = b""
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where to write."""
        self._transport: Any = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop writing: the slot is free."""
        del exc
        if self._answering is not None:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer once a request is here."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        said = re.search(rb"(?i)content-length: (\d+)", head)
        if len(body) < (int(said[1]) if said else 0):
            return
        self._received = b""
        self._answering = asyncio.get_running_loop().create_task(self._answer())

    async def _answer(self) -> None:
        async with self._slots:
            self._transport.write(_HEAD)
            period = 1 / self._script.speed
            loop = asyncio.get_running_loop()
            at = loop.time()
            if self._script.in_step:  # all slots write their tokens at the same instant
                at -= at % period
            length = round(self._script.tokens * random.uniform(0.6, 1.4))  # noqa: S311
            for number in range(length):
                at += period
                await asyncio.sleep(at - loop.time())
                text = f"<{number}/{length}@{time.monotonic_ns()}>"
                self._event(json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}))
            self._event("[DONE]")
            self._transport.write(b"0\r\n\r\n")

    def _event(self, data: str) -> None:
        line = f"data: {data}\n\n".encode()
        self._transport.write(b"%x\r\n%b\r\n" % (len(line), line))


async def serve(port: int, script: Script) -> None:
    """Serve until the process is ended."""
    slots = asyncio.Semaphore(script.slots)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: ScriptedServer(script, slots), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


class Listener(asyncio.Protocol):
    """A client: asks once and notes what comes, when it comes."""

    def __init__(self, request: bytes, end: bytes, done: asyncio.Future[Heard]) -> None:
        self._request = request
        self._end = end
        self._done = done
        self._rest = b""
        self._heard = Heard()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport: Any = transport
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note each token."""
        now = time.monotonic_ns()
        self._rest += data
        if not self._heard.length and (status := _STATUS.match(self._rest)):
            self._heard.refused = int(status[1])
            self._transport.close()
            return
        at = 0
        for token in _TOKEN.finditer(self._rest):
            self._heard.numbers.append(int(token[1]))
            self._heard.length = int(token[2])
            self._heard.ms.append((now - int(token[3])) / 1e6)
            at = token.end()
        if self._end in self._rest[at:] or self._end in self._rest:
            self._heard.ended = True
            self._transport.close()
        self._rest = self._rest[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand over what was heard."""
        del exc
        if not self._done.done():
            self._done.set_result(self._heard)


async def listen(kind: str, port: int, paths: Sequence[str], body: bytes) -> list[Heard]:
    """Ask once at each path, all at the same time; return what each heard."""
    loop = asyncio.get_running_loop()
    heard = []
    for path in paths:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        done: asyncio.Future[Heard] = loop.create_future()
        listener = Listener(head.encode() + body, _END[kind], done)
        await loop.create_connection(lambda one=listener: one, "127.0.0.1", port)  # type: ignore[misc]
        heard.append(done)
    return list(await asyncio.gather(*heard))


def _figures(heard: Sequence[Heard]) -> dict[str, Any]:
    # The end of a wenqu answer repeats its whole text; only what was streamed counts.
    streamed = [each.numbers[: each.length] for each in heard]
    ms = [one for each in heard for one in each.ms[: each.length]]
    lost = sum(
        len(set(range(each.length)) - set(numbers))
        for each, numbers in zip(heard, streamed, strict=True)
    )
    return {
        "chats": len(heard),
        "ended": sum(each.ended for each in heard),
        "refused": sum(each.refused > 0 for each in heard),
        "tokens": len(ms),
        "lost": lost,
        "reordered": sum(numbers != sorted(numbers) for numbers in streamed),
        **{f"p{share}_ms": round(percentile(ms, share / 100), 2) for share in (50, 95, 99)},
        "max_ms": round(max(ms, default=0.0), 2),
    }


def main() -> int:
    """Measure, print, and say by the exit code whether it is as wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chats", type=int, default=200)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--speed", type=float, default=10.0, help="tokens a second of one answer")
    parser.add_argument("--tokens", type=int, default=50, help="tokens of one answer, in the mean")
    parser.add_argument("--in-step", action="store_true", help="all slots write at one instant")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = parser.parse_args()
    script = Script(
        slots=given.slots, speed=given.speed, tokens=given.tokens, in_step=given.in_step
    )
    if given.serve is not None:
        asyncio.run(serve(given.serve, script))
        return 0
    with _scripted(given) as port, tempfile.TemporaryDirectory() as home:
        direct = asyncio.run(listen("openai", port, ["/v1/chat/completions"] * given.chats, b"{}"))
        with _wenqu(given, port, home) as (own, pid):
            talks = _begin(own, given.chats)
            before = cpu_s(pid)
            body = json.dumps({"text": "hi"}).encode()
            through = asyncio.run(listen("wenqu", own, [f"{talk}/say" for talk in talks], body))
            used = cpu_s(pid) - before
    return _show(given, direct, through, used)


def _show(
    given: argparse.Namespace,
    direct: Sequence[Heard],
    through: Sequence[Heard],
    used: float,
) -> int:
    rows = {"direct": _figures(direct), "wenqu": _figures(through)}
    wenqu = rows["wenqu"]
    adds = {
        f"p{share}_ms": round(wenqu[f"p{share}_ms"] - rows["direct"][f"p{share}_ms"], 2)
        for share in _WANTED_MS
    }
    per_token = round(used / max(1, wenqu["tokens"]) * 1e6)
    good = (
        all(adds[f"p{share}_ms"] <= most for share, most in _WANTED_MS.items())
        and not wenqu["lost"] + wenqu["reordered"]
        and wenqu["ended"] == given.chats
    )
    if given.json:
        print(json.dumps({"machine": machine(), **rows, "adds": adds, "cpu_us_a_token": per_token}))
    else:
        print(machine())
        for name, row in rows.items():
            print(name, ", ".join(f"{key} {value}" for key, value in row.items()))
        print(f"wenqu adds {adds} ms a token (wanted {_WANTED_MS}), {per_token} us of processor")
        if refused := sorted({each.refused for each in through} - {0}):
            print(f"{wenqu['refused']} chats were refused: {refused}; no figure above has them")
    return 0 if good else 1


def _begin(port: int, count: int) -> list[str]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
        made = [client.post("/api/conversations", json={"kb": None}) for _ in range(count)]
        return [f"/api/conversations/{one.raise_for_status().json()['id']}" for one in made]


@contextmanager
def _scripted(given: argparse.Namespace) -> Iterator[int]:
    port = _free_port()
    command = [sys.executable, __file__, "--serve", str(port), "--slots", str(given.slots)]
    command += ["--speed", str(given.speed), "--tokens", str(given.tokens)]
    with _running(command + ["--in-step"] * given.in_step, port, {}):
        yield port


@contextmanager
def _wenqu(given: argparse.Namespace, scripted: int, home: str) -> Iterator[tuple[int, int]]:
    port = _free_port()
    more = {
        "WENQU_HOME": home,
        "WENQU_CHAT__BASE_URL": f"http://127.0.0.1:{scripted}/v1",
        "WENQU_CHAT__MODEL": "scripted",
        "WENQU_CHAT__SLOTS": str(given.slots),
        "WENQU_CHAT__WAITING": str(given.chats),
    }
    command = [sys.executable, "-m", "wenqu", "serve", "--port", str(port)]
    with _running(command, port, more) as process:
        yield port, process.pid


@contextmanager
def _running(
    command: Sequence[str], port: int, more: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        command,
        env={**os.environ, **more},
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            _await_port(process, port)
            yield process
        finally:
            process.terminate()


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"nothing answers at port {port}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


if __name__ == "__main__":
    raise SystemExit(main())
