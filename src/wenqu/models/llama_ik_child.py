"""The child process in which ik_llama.cpp runs: a small OpenAI-compatible server on a socket.

It speaks what ``LlamaCppChat`` asks for and no more: greedy chat completions, streamed or not, one
after another. Two fields are its own: ``warm`` reads the messages as the beginning of prompts to
come and answers nothing; ``timings`` ends every reply.
"""

from __future__ import annotations

import argparse
import asyncio
import codecs
import hashlib
import hmac
import json
import os
import shutil
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wenqu.models.llama_ik import IkError, open_model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from wenqu.models.llama_ik import IkModel, Piece, Timings, Turn

__all__ = ["build", "main"]

KEY_VARIABLE = "LLAMACPP_CHILD_KEY"
READY = "ready "
_MOST_TOKENS = 2048
_KEPT_FILES = 8
_ROLES = frozenset({"system", "user", "assistant"})


class _Door:
    """The request handlers over one model; ``prompts`` is a folder for beginnings of prompts."""

    def __init__(self, model: IkModel, key: str, prompts: Path | None) -> None:
        self._model = model
        self._key = key
        self._prompts = prompts
        # One thread: the model belongs to one at a time, and a step in work cannot be taken back.
        self._thread = ThreadPoolExecutor(1)

    async def complete(self, request: Request) -> Response:
        from starlette.responses import JSONResponse, StreamingResponse

        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._key}".encode()):
            return _failure(401, "key")
        try:
            body = await request.json()
            turns = _turns(body)
            most = max(0, min(int(body.get("max_tokens") or _MOST_TOKENS), _MOST_TOKENS))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _failure(400, repr(error))
        if body.get("warm"):
            try:
                known = await self._in_thread(self._warm, turns)
            except IkError as error:
                return _failure(400, str(error))
            return JSONResponse({"choices": [], "known": known})
        pieces = self._pieces(turns, most)
        if body.get("stream"):
            return StreamingResponse(_events(pieces), media_type="text/event-stream")
        return await _whole(pieces)

    async def _pieces(self, turns: Sequence[Turn], most: int) -> AsyncIterator[Piece]:
        steps: Iterator[Piece] | None = None
        try:
            tokens = await self._in_thread(self._model.tokens, turns)
            steps = self._model.reply(tokens, most)
            while (piece := await self._in_thread(next, steps, None)) is not None:
                yield piece
        finally:
            if steps is not None:
                # After the step in work, if the client went away during it.
                self._thread.submit(steps.close)  # type: ignore[attr-defined]

    def _warm(self, turns: Sequence[Turn]) -> bool:
        tokens = self._model.tokens(turns, reply=False)
        if self._model.knows(tokens):
            return True
        path = self._file(tokens)
        if path is not None and self._model.load(tokens, path):
            with suppress(OSError):
                path.touch()
            return True
        self._model.read(tokens)
        if path is not None and self._model.knows(tokens):
            with suppress(OSError):
                self._write(tokens, path)
        return False

    def _write(self, tokens: Sequence[int], path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        self._model.save(tokens, part)
        part.replace(path)
        files = sorted(path.parent.glob("*.kv"), key=lambda file: file.stat().st_mtime)
        for old in files[:-_KEPT_FILES]:
            old.unlink(missing_ok=True)

    def _file(self, tokens: Sequence[int]) -> Path | None:
        if self._prompts is None:
            return None
        digest = hashlib.sha256(json.dumps([self._model.identity, *tokens]).encode())
        return self._prompts / f"{digest.hexdigest()[:32]}.kv"

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


def build(model: IkModel, key: str, prompts: Path | None = None) -> Starlette:
    """Return the ASGI application over ``model``, for bearers of ``key``."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    door = _Door(model, key, prompts)
    return Starlette(routes=[Route("/v1/chat/completions", door.complete, methods=["POST"])])


async def _events(pieces: AsyncIterator[Piece]) -> AsyncIterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        async for piece in pieces:
            if text := decoder.decode(piece.text, final=piece.timings is not None):
                yield _event({"choices": [{"index": 0, "delta": {"content": text}}]})
            if piece.timings is None:
                continue
            reason = "stop" if piece.ended else "length"
            end = {"index": 0, "delta": {}, "finish_reason": reason}
            yield _event({"choices": [end], "timings": _shown(piece.timings)})
        yield "data: [DONE]\n\n"
    except IkError as error:
        yield _event({"error": {"message": str(error)}})


async def _whole(pieces: AsyncIterator[Piece]) -> Response:
    from starlette.responses import JSONResponse

    text = b""
    try:
        async for piece in pieces:
            text += piece.text
            last = piece
    except IkError as error:
        return _failure(400, str(error))
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text.decode("utf-8", "replace")},
        "finish_reason": "stop" if last.ended else "length",
    }
    timings = _shown(last.timings) if last.timings else {}
    return JSONResponse({"object": "chat.completion", "choices": [choice], "timings": timings})


def _shown(timings: Timings) -> dict[str, float]:
    """Return the fields that llama.cpp's server has, by its names."""
    return {
        "cache_n": timings.reused,
        "prompt_n": timings.prompt - timings.reused,
        "prompt_ms": timings.prompt_s * 1000,
        "predicted_n": timings.replied,
        "predicted_ms": timings.reply_s * 1000,
    }


def _event(value: object) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def _failure(status: int, reason: str) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse({"error": {"message": reason}}, status_code=status)


def _turns(body: dict[str, Any]) -> list[Turn]:
    turns = [(message["role"], message["content"]) for message in body["messages"]]
    for role, text in turns:
        if role not in _ROLES or not isinstance(text, str):
            raise ValueError(role)
    return turns


def _listen(path: str | None) -> tuple[socket.socket, str]:
    if path is None:
        listening = socket.create_server(("127.0.0.1", 0))
        return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    return listening, path


def _end_with_parent(given_socket: str | None) -> None:
    sys.stdin.buffer.read()
    # As in ``llamacpp``: wenqu is gone, and nothing here must be saved.
    if given_socket:
        shutil.rmtree(Path(given_socket).parent, ignore_errors=True)
    os._exit(0)


def main(arguments: Sequence[str]) -> None:
    """Serve a model until standard input closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--socket")
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--prompts", type=Path)
    given = parser.parse_args(arguments)
    # The library writes to file descriptor 1; the parent waits there for one line only.
    says = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    key = os.environ.pop(KEY_VARIABLE)
    threading.Thread(target=_end_with_parent, args=[given.socket], daemon=True).start()
    try:
        model = open_model(given.model, context=given.context, threads=given.threads)
    except IkError as error:
        sys.exit(str(error))
    _run(build(model, key, given.prompts), given.socket, says)


def _run(app: Starlette, path: str | None, says: Any) -> None:
    import uvicorn

    listening, address = _listen(path)
    # Connections wait in the socket's queue until the server takes them.
    print(f"{READY}{address}", file=says, flush=True)
    config = uvicorn.Config(app, log_level="error", lifespan="off", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1:])
