"""The server: routes, what it lets in, and how errors become responses."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from contextlib import asynccontextmanager
from errno import EACCES, EADDRINUSE, EPERM
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import uvicorn
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from wenqu import payloads
from wenqu.errors import BusyError, ConflictError, InputError, NotFoundError, WenquError
from wenqu.http import conversations
from wenqu.http.exchange import event_stream, json_body, parsed
from wenqu.http.headers import SecurityHeaders
from wenqu.messages import catalogue, stages
from wenqu.options import AskOptions, SearchFilter, SearchOptions
from wenqu.types import AnswerFinished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from wenqu.app import App
    from wenqu.messages import Locale

__all__ = ["build", "serve"]

T = TypeVar("T", bound=BaseModel)

_STATIC = Path(__file__).parent / "static"
_REPEATABLE = frozenset({"source", "folder", "title", "tag"})
_log = logging.getLogger("wenqu.http")


class _Where(BaseModel):
    """Which documents to look in; see ``options.SearchFilter``."""

    model_config = ConfigDict(extra="forbid")

    source: list[str] = []
    folder: list[str] = []
    title: list[str] = []
    tag: list[str] = []
    since: str | None = None
    until: str | None = None

    def filter(self) -> SearchFilter:
        return SearchFilter(
            sources=tuple(self.source),
            folders=tuple(self.folder),
            titles=tuple(self.title),
            tags=tuple(self.tag),
            since=self.since,
            until=self.until,
        )


class _AskBody(BaseModel):
    """What a question is asked with; anything else is refused."""

    model_config = ConfigDict(extra="forbid")

    question: str
    kb: str | None = None
    llm: bool = True
    stream: bool = True
    strict: bool = False
    wordings: int = Field(default=0, ge=0, le=4)
    imagine: bool = False
    split: bool = False
    where: _Where = _Where()

    def options(self) -> AskOptions:
        return AskOptions(
            use_llm=self.llm,
            strict=self.strict,
            wordings=self.wordings,
            imagine=self.imagine,
            split=self.split,
            where=self.where.filter(),
        )


class _SearchQuery(_Where):
    q: str
    kb: str | None = None
    top: int = Field(default=10, ge=1, le=100)
    diversity: float | None = Field(default=None, ge=0, le=1)
    rerank: bool = True
    collapse: bool = True
    lang: str | None = None

    def options(self) -> SearchOptions:
        return SearchOptions(
            top=self.top,
            where=self.filter(),
            diversity=self.diversity,
            rerank=self.rerank,
            collapse=self.collapse,
        )


async def serve(
    app: App, *, host: str, port: int, kb: str | None, on_ready: Callable[[str], None]
) -> None:
    """Serve until the process is told to stop.

    Args:
        app: What answers.
        host: Address to listen on.
        port: Port; 0 takes a free one.
        kb: Knowledge base that the page shows first; None takes the first there is.
        on_ready: Called with the page's address when requests are taken.

    Raises:
        InputError: The address or port cannot be had; says which.
    """
    config = uvicorn.Config(
        build(app, host=host, kb=kb),
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=config.backlog)
    except OSError as error:
        raise _unheard(error, host, port) from None
    name = f"[{host}]" if ":" in host else host
    # asyncio sets this on sockets it made itself; without it each response waits some 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listening:
        server = _Server(config, lambda: on_ready(f"http://{name}:{listening.getsockname()[1]}"))
        await server.serve(sockets=[listening])


def _unheard(error: OSError, host: str, port: int) -> InputError:
    if error.errno == EADDRINUSE:
        return InputError("error.port_taken", host=host, port=port)
    if error.errno in {EACCES, EPERM}:
        return InputError("error.port_forbidden", host=host, port=port)
    # Also gaierror: a name that nobody knows.
    return InputError("error.host", host=host, reason=error.strerror or str(error))


class _Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def build(app: App, *, host: str = "127.0.0.1", kb: str | None = None) -> Starlette:
    """Return the ASGI application over ``app``; ``host`` is where it will listen."""
    door = _Door(app, kb)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        warming = asyncio.create_task(door.warm())
        yield
        warming.cancel()

    return Starlette(
        routes=[
            Route("/", door.page),
            Route("/healthz", door.health),
            Route("/api/texts", door.texts),
            Route("/api/kbs", door.bases),
            Route("/api/search", door.search),
            Route("/api/answers/{name}", door.answer),
            Route("/api/ask", door.ask, methods=["POST"]),
            *conversations.routes(app, door.locale),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=_allowed_hosts(host)),
            Middleware(SecurityHeaders),
        ],
        exception_handlers={
            WenquError: door.failure,  # type: ignore[dict-item]
            HTTPException: door.astray,  # type: ignore[dict-item]
        },
        lifespan=lifespan,
    )


def _allowed_hosts(host: str) -> list[str]:
    """Return the Host headers that are served.

    On a loopback address only its own names: a web page elsewhere could otherwise point its name
    at 127.0.0.1 and read the user's documents (DNS rebinding).
    """
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    return ["localhost", "127.0.0.1", "[::1]"] if loopback else ["*"]


class _Door:
    """The request handlers over one app."""

    def __init__(self, app: App, kb: str | None) -> None:
        self._app = app
        self._kb = kb

    async def warm(self) -> None:
        """Load the embedder and the first index, so that the first question does not wait."""
        try:
            name = self._kb or next(iter(await self._app.bases.ids()), None)
            if name is not None:
                await self._app.search(name, "warm")
        except WenquError as error:
            _log.warning("warming up failed: %s", error)

    async def page(self, _: Request) -> Response:
        return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def texts(self, request: Request) -> Response:
        """Give the page's texts in the user's language."""
        locale = self.locale(request)
        texts = {
            key.removeprefix("web."): entry[locale]
            for key, entry in catalogue().items()
            if key.startswith("web.")
        }
        named = {"language": locale, "texts": texts, "stages": stages(locale)}
        return JSONResponse(named)

    async def bases(self, _: Request) -> Response:
        bases = await self._app.bases.list()
        listed = [payloads.knowledge_base_payload(base, self._app.chunking(base)) for base in bases]
        names = [base.name for base in bases]
        first = self._kb if self._kb in names else next(iter(names), None)
        return JSONResponse({"knowledge_bases": listed, "first": first})

    async def search(self, request: Request) -> Response:
        given: dict[str, object] = dict(request.query_params)
        given |= {name: request.query_params.getlist(name) for name in given if name in _REPEATABLE}
        query = parsed(_SearchQuery, given)
        found = await self._app.search(query.kb, query.q, query.options())
        return JSONResponse(payloads.search_payload(found))

    async def ask(self, request: Request) -> Response:
        """Answer as server-sent events ``evidence``, ``text``, ``answer``; or whole, as JSON."""
        body = parsed(_AskBody, await json_body(request))
        how = body.options()
        who = request.client.host if request.client else ""
        events = self._app.ask(body.kb, body.question, how, who=who)
        # The first event is fetched here: what is wrong with the request gets its own status.
        first = await anext(events)
        if body.stream:
            locale = self.locale(request)
            return StreamingResponse(
                event_stream(first, events, locale), media_type="text/event-stream"
            )
        last = first
        async for event in events:  # to its end: what is kept of an answer is kept there
            last = event
        if isinstance(last, AnswerFinished):
            return JSONResponse(payloads.answer_payload(last.answer))
        raise AssertionError("an answer ends with AnswerFinished")

    async def answer(self, request: Request) -> Response:
        """Give the record of an answer: how it came about, stage by stage."""
        record = await self._app.answers.get(request.path_params["name"])
        return JSONResponse(payloads.record_payload(record))

    async def failure(self, request: Request, error: WenquError) -> Response:
        """Turn an error into a response that says what to do."""
        payload = payloads.error_payload(error, self.locale(request))
        headers = {}
        if isinstance(error, BusyError):
            headers["Retry-After"] = str(error.values["seconds"])
        return JSONResponse(payload, status_code=_status(error), headers=headers)

    async def astray(self, request: Request, error: HTTPException) -> Response:
        """Say of an address that is not there, or does not take a method, what to do."""
        status, path = error.status_code, request.url.path
        if not path.startswith("/api/"):
            return PlainTextResponse(error.detail, status, error.headers)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            said = InputError("error.method", method=request.method, path=path)
        else:
            said = InputError("error.address", path=path)
        payload = payloads.error_payload(said, self.locale(request))
        return JSONResponse(payload, status, error.headers)

    def locale(self, request: Request) -> Locale:
        """Return the language of a request's messages."""
        asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
        if asked.lower().startswith("zh"):
            return "zh"
        return "en" if asked.lower().startswith("en") else self._app.settings.language


def _status(error: WenquError) -> HTTPStatus:
    match error:
        case NotFoundError():
            return HTTPStatus.NOT_FOUND
        case InputError():
            return HTTPStatus.BAD_REQUEST
        case ConflictError():
            return HTTPStatus.CONFLICT
        case _:
            unavailable = error.retryable
            return (
                HTTPStatus.SERVICE_UNAVAILABLE if unavailable else HTTPStatus.INTERNAL_SERVER_ERROR
            )
