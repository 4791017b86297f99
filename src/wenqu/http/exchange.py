"""What goes over the wire: bodies that are let in, and answers as server-sent events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from wenqu import payloads
from wenqu.errors import InputError, WenquError
from wenqu.messages import Phrase, wrong_value
from wenqu.types import AnswerFinished, AnswerText, EvidenceFound

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request

    from wenqu.messages import Locale
    from wenqu.types import AnswerEvent

__all__ = ["event_stream", "json_body", "parsed"]

T = TypeVar("T", bound=BaseModel)

_MAX_BODY_BYTES = 64 * 1024


async def event_stream(
    first: AnswerEvent, rest: AsyncGenerator[AnswerEvent, None], locale: Locale
) -> AsyncGenerator[str, None]:
    """Yield an answer as server-sent events; when its reader goes away, the model stops."""
    try:
        yield _named(first)
        async for event in rest:
            yield _named(event)
    except WenquError as error:
        yield _line("error", payloads.error_payload(error, locale))
    finally:
        # When the reader goes away, the model stops.
        await rest.aclose()


def _named(event: AnswerEvent) -> str:
    match event:
        case EvidenceFound(evidence=evidence):
            return _line("evidence", [payloads.evidence_payload(one) for one in evidence])
        case AnswerText(text=text):
            return _line("text", text)
        case AnswerFinished(answer=answer):
            return _line("answer", payloads.answer_payload(answer))


def _line(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


async def json_body(request: Request) -> object:
    """Return the JSON that a request carries.

    Raises:
        InputError: It is too long, of another type, or no JSON.
    """
    if not request.headers.get("content-type", "").startswith("application/json"):
        # Also keeps forms of other sites out: a browser cannot send this type without asking.
        raise InputError("error.request", reason="Content-Type: application/json")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY_BYTES:
            raise InputError("error.request", reason=f"> {_MAX_BODY_BYTES} bytes")
    try:
        return json.loads(body)
    except ValueError as error:
        raise InputError("error.request", reason=str(error)) from None


def parsed(model: type[T], data: object) -> T:
    """Return ``data`` as a ``model``.

    Raises:
        InputError: It does not fit; the first thing wrong is named.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        reason = Phrase("value.named", name=name, reason=wrong_value(first))
        raise InputError("error.request", reason=reason) from None
