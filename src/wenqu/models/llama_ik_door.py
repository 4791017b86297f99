"""OpenAI's protocol over ik_llama.cpp: chat and completions, streamed or not, many at a time.

Two things are its own: ``warm`` in a chat request reads the messages as the beginning of prompts to
come and answers nothing; ``timings`` ends every reply, by the names that llama.cpp's server has.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wenqu.models.llama_ik import IkError
from wenqu.models.llama_ik_batch import Batcher, Job, Piece
from wenqu.models.llama_ik_wants import Spoken, prompt, turns, wants

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from wenqu.models.llama_ik import IkModel, Turn
    from wenqu.models.llama_ik_batch import Timings
    from wenqu.models.llama_ik_wants import Wants

__all__ = ["build"]

_KEPT_FILES = 8
_MOST_WAITING = 256
_RETRY_S = "10"


class _Desk:
    """Runs the steps of a ``Batcher`` while there is work, and hands out what they say.

    Belongs to one event loop; the model's part runs in a thread of its own, one step at a time.
    """

    def __init__(self, batcher: Batcher) -> None:
        self.batcher = batcher
        self._thread = ThreadPoolExecutor(1)
        self._queues: dict[int, asyncio.Queue[Piece]] = {}
        self._running: asyncio.Task[None] | None = None

    async def pieces(self, job: Job) -> AsyncGenerator[Piece]:
        """Answer ``job``; closing the iterator frees its slot after the step in work.

        Raises:
            IkError: The prompt is too long, or the library failed.
        """
        self.batcher.submit(job)
        queue = self._queues[id(job)] = asyncio.Queue()
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        try:
            while True:
                piece = await queue.get()
                if piece.failure is not None:
                    raise piece.failure
                yield piece
                if piece.end is not None:
                    return
        finally:
            job.dropped = True
            del self._queues[id(job)]

    async def in_thread(self, function: Any, *arguments: Any) -> Any:
        """Run what touches the model between two steps."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def _run(self) -> None:
        said: list[tuple[Job, Piece]] = []
        try:
            while self.batcher.busy:
                said = await self.in_thread(self.batcher.step)
                for job, piece in said:
                    if (queue := self._queues.get(id(job))) is not None:
                        queue.put_nowait(piece)
        finally:
            self._running = None
            if self.batcher.busy:  # a mistake of ours: nobody may wait for ever
                for queue in self._queues.values():
                    queue.put_nowait(Piece(failure=IkError("stopped")))


@dataclass(frozen=True, slots=True)
class _Form:
    """How a reply is worded: ``chat`` turns or a plain completion."""

    chat: bool
    model: str
    identity: str

    def whole(self, text: str, reason: str, timings: Timings) -> dict[str, Any]:
        """Return a reply in one piece."""
        said = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": reason}
        kind = "chat.completion" if self.chat else "text_completion"
        return self._around(kind, [choice], usage=_usage(timings), timings=_shown(timings))

    def piece(self, text: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
        """Return a piece of a streamed reply; the last has the reason of its end."""
        delta = {"role": "assistant", "content": text} if text else {}
        said = {"delta": delta} if self.chat else {"text": text}
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": reason}
        return self._around(self._kind, [choice], **more)

    def usage(self, timings: Timings) -> dict[str, Any]:
        """Return the event that carries the usage and nothing else."""
        return self._around(self._kind, [], usage=_usage(timings))

    @property
    def _kind(self) -> str:
        return "chat.completion.chunk" if self.chat else "text_completion"

    def _around(self, kind: str, choices: list[Any], **more: Any) -> dict[str, Any]:
        head = {"id": self.identity, "object": kind, "created": int(time.time())}
        return {**head, "model": self.model, "choices": choices, **more}


class _Door:
    """The request handlers over one model; ``prompts`` is a folder for beginnings of prompts."""

    def __init__(self, model: IkModel, name: str, key: str | None, prompts: Path | None) -> None:
        self._model = model
        self._name = name
        self._key = key
        self._prompts = prompts
        self._desk = _Desk(Batcher(model))
        self._coming = 0  # requests whose text is being made tokens of

    async def health(self, _: Request) -> Response:
        from starlette.responses import JSONResponse

        return JSONResponse({"status": "ok"})

    async def models(self, request: Request) -> Response:
        from starlette.responses import JSONResponse

        if not self._admits(request):
            return _failure(401, "key")
        model = {"id": self._name, "object": "model", "created": 0, "owned_by": "wenqu"}
        return JSONResponse({"object": "list", "data": [model]})

    async def chat(self, request: Request) -> Response:
        return await self._complete(request, chat=True)

    async def completions(self, request: Request) -> Response:
        return await self._complete(request, chat=False)

    async def _complete(self, request: Request, *, chat: bool) -> Response:
        if not self._admits(request):
            return _failure(401, "key")
        try:
            body = await request.json()
            wanted = wants(body)
            if self._coming + self._desk.batcher.waiting >= _MOST_WAITING:
                return _failure(503, "busy", {"Retry-After": _RETRY_S})
            if chat and body.get("warm"):
                return await self._warmed(turns(body))
            job = await self._job(body, wanted, chat=chat)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _failure(400, repr(error))
        except IkError as error:
            return _failure(400, str(error))
        return await self._answer(request, job, wanted, chat=chat)

    async def _answer(self, request: Request, job: Job, wanted: Wants, *, chat: bool) -> Response:
        from starlette.responses import StreamingResponse

        identity = ("chatcmpl-" if chat else "cmpl-") + uuid.uuid4().hex
        form = _Form(chat, self._name, identity)
        if not wanted.stream:
            return await self._whole(request, job, wanted, form)
        events = self._events(job, wanted, form)
        return StreamingResponse(events, media_type="text/event-stream")

    def _admits(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return self._key is None or hmac.compare_digest(
            given.encode(), f"Bearer {self._key}".encode()
        )

    async def _job(self, body: Any, wanted: Wants, *, chat: bool) -> Job:
        """Return what is to be done; a text of megabytes takes its time, for which none waits."""
        self._coming += 1
        try:
            if chat:
                tokens = await asyncio.to_thread(self._model.tokens, turns(body))
            else:
                tokens = await asyncio.to_thread(self._model.plain, prompt(body))
        finally:
            self._coming -= 1
        room = self._model.room.context - len(tokens)
        if not tokens or room <= 0:
            raise IkError(f"{len(tokens)} tokens, context {self._model.room.context}")
        most = room if wanted.most is None else min(wanted.most, room)
        return Job(tokens=tokens, most=most, choose=wanted.choose, endless=wanted.endless)

    async def _said(self, job: Job, stops: Sequence[str]) -> AsyncGenerator[tuple[str, str | None]]:
        """Yield a reply's text and, at its end, the reason of that."""
        spoken = Spoken(stops)
        async with aclosing(self._desk.pieces(job)) as pieces:
            async for piece in pieces:
                text = spoken.add(piece.text, last=piece.end is not None)
                if spoken.stopped:
                    yield text, "stop"
                    return
                yield text, piece.end

    async def _events(self, job: Job, wanted: Wants, form: _Form) -> AsyncGenerator[str]:
        try:
            async with aclosing(self._said(job, wanted.stops)) as said:
                async for text, reason in said:
                    if text:
                        yield _event(form.piece(text))
                    if reason:
                        yield _event(form.piece("", reason, timings=_shown(job.timings())))
            if wanted.usage:
                yield _event(form.usage(job.timings()))
            yield "data: [DONE]\n\n"
        except IkError as error:
            yield _event({"error": {"message": str(error)}})

    async def _whole(self, request: Request, job: Job, wanted: Wants, form: _Form) -> Response:
        from starlette.responses import JSONResponse

        whole, end = "", "stop"
        try:
            async with aclosing(self._said(job, wanted.stops)) as said:
                async for text, reason in said:
                    whole += text
                    end = reason or end
                    if await request.is_disconnected():
                        break
        except IkError as error:
            return _failure(500, str(error))
        return JSONResponse(form.whole(whole, end, job.timings()))

    async def _warmed(self, given: Sequence[Turn]) -> Response:
        from starlette.responses import JSONResponse

        tokens = self._model.tokens(given, reply=False)
        desk, path = self._desk, self._file(tokens)
        known = desk.batcher.knows(tokens)
        if not known and path is not None:
            known = await desk.in_thread(desk.batcher.load, tokens, path)
            if known:
                with suppress(OSError):
                    path.touch()
        if not known:
            async for _ in desk.pieces(Job(tokens=tokens, most=0)):
                pass
            if path is not None:
                await desk.in_thread(self._write, tokens, path)
        return JSONResponse({"choices": [], "known": known})

    def _write(self, tokens: Sequence[int], path: Path) -> None:
        if not self._desk.batcher.knows(tokens):
            return
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._desk.batcher.save(tokens, part)
            part.replace(path)
            files = sorted(path.parent.glob("*.kv"), key=lambda file: file.stat().st_mtime)
            for old in files[:-_KEPT_FILES]:
                old.unlink(missing_ok=True)

    def _file(self, tokens: Sequence[int]) -> Path | None:
        if self._prompts is None:
            return None
        digest = hashlib.sha256(json.dumps([self._model.identity, *tokens]).encode())
        return self._prompts / f"{digest.hexdigest()[:32]}.kv"


def build(model: IkModel, *, name: str, key: str | None, prompts: Path | None = None) -> Starlette:
    """Return the ASGI application over ``model``, for bearers of ``key`` if there is one."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    door = _Door(model, name, key, prompts)
    return Starlette(
        routes=[
            Route("/health", door.health),
            Route("/v1/models", door.models),
            Route("/v1/chat/completions", door.chat, methods=["POST"]),
            Route("/v1/completions", door.completions, methods=["POST"]),
        ]
    )


def _usage(timings: Timings) -> dict[str, int]:
    total = timings.prompt + timings.replied
    return {
        "prompt_tokens": timings.prompt,
        "completion_tokens": timings.replied,
        "total_tokens": total,
    }


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


def _failure(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse({"error": {"message": reason}}, status_code=status, headers=headers)
