"""Routes of conversations. An id is a secret: who has it may read and go on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from wenqu import payloads
from wenqu.http.exchange import event_stream, json_body, parsed
from wenqu.options import AskOptions
from wenqu.types import AnswerFinished

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from starlette.requests import Request

    from wenqu.app import App
    from wenqu.messages import Locale
    from wenqu.types import AnswerEvent

__all__ = ["routes"]


class _BeginBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kb: str | None = None


class _SayBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    llm: bool = True
    stream: bool = True


class _AgainBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    turn: str | None = None
    text: str | None = None
    llm: bool = True
    stream: bool = True


class _ExportQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    form: Literal["markdown", "json"] = "markdown"
    lang: str | None = None


def routes(app: App, locale: Callable[[Request], Locale]) -> list[Route]:
    """Return the routes; ``locale`` tells the language of a request's messages."""
    door = _Conversations(app, locale)
    path = "/api/conversations"
    return [
        Route(path, door.begin, methods=["POST"]),
        Route(f"{path}/{{id}}", door.show),
        Route(f"{path}/{{id}}", door.delete, methods=["DELETE"]),
        Route(f"{path}/{{id}}/say", door.say, methods=["POST"]),
        Route(f"{path}/{{id}}/again", door.again, methods=["POST"]),
        Route(f"{path}/{{id}}/export", door.export),
    ]


class _Conversations:
    """The request handlers."""

    def __init__(self, app: App, locale: Callable[[Request], Locale]) -> None:
        self._app = app
        self._locale = locale

    async def begin(self, request: Request) -> Response:
        body = parsed(_BeginBody, await json_body(request))
        talk = await self._app.conversing.begin(body.kb)
        return JSONResponse(payloads.conversation_payload(talk), status_code=201)

    async def show(self, request: Request) -> Response:
        talk = await self._app.conversations.get(request.path_params["id"])
        return JSONResponse(payloads.conversation_payload(talk))

    async def delete(self, request: Request) -> Response:
        talk = await self._app.conversations.get(request.path_params["id"])
        await self._app.conversations.delete([talk.id])
        return Response(status_code=204)

    async def say(self, request: Request) -> Response:
        body = parsed(_SayBody, await json_body(request))
        how = AskOptions(use_llm=body.llm)
        events = self._app.conversing.say(request.path_params["id"], body.text, how)
        return await self._answer(request, events, stream=body.stream)

    async def again(self, request: Request) -> Response:
        body = parsed(_AgainBody, await json_body(request))
        how = AskOptions(use_llm=body.llm)
        events = self._app.conversing.again(request.path_params["id"], body.turn, body.text, how)
        return await self._answer(request, events, stream=body.stream)

    async def export(self, request: Request) -> Response:
        query = parsed(_ExportQuery, dict(request.query_params))
        text = await self._app.conversing.export(
            request.path_params["id"], query.form, self._locale(request)
        )
        kind = "application/json" if query.form == "json" else "text/markdown"
        return PlainTextResponse(text, media_type=kind)

    async def _answer(
        self, request: Request, events: AsyncGenerator[AnswerEvent], *, stream: bool
    ) -> Response:
        # The first event is fetched here: what is wrong with the request gets its own status.
        first = await anext(events, None)
        if first is None:  # a command that is not answered
            return JSONResponse({"cleared": True})
        if stream:
            locale = self._locale(request)
            return StreamingResponse(
                event_stream(first, events, locale), media_type="text/event-stream"
            )
        answer = first.answer if isinstance(first, AnswerFinished) else None
        async for event in events:  # to their end: what is left open goes on in its own time
            if isinstance(event, AnswerFinished):
                answer = event.answer
        if answer is None:
            raise AssertionError("an answer ends with AnswerFinished")
        return JSONResponse(payloads.answer_payload(answer))
