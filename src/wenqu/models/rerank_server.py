"""Reranking on a server: Jina's, Cohere's and SiliconFlow's ``/rerank``, vLLM, llama.cpp, TEI.

All but one speak the same protocol with small differences. Text Embeddings Inference wants its
texts under another name; that it does is learned from its first refusal.
"""

from __future__ import annotations

import asyncio
import json
import math
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Any

import httpx

from wenqu.errors import ModelError
from wenqu.text.chunk import embedding_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.types import Hit

__all__ = ["ServerReranker"]

_REASON_CHARACTERS = 300
_LATIN = 0x2FF  # the last letter of the Latin blocks
_LATIN_TOKENS = 0.5  # most tokens a letter costs; a Chinese character costs one at most
_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_REFUSED_BODY = frozenset({httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY})


class ServerReranker:
    """A ``Reranker`` on a server.

    The key is sent as a bearer token and appears in no error, log or ``repr``. Nothing is asked
    twice: a search has no time for that.

    Args:
        base_url: Root of the protocol, to which ``/rerank`` is added.
        model: Name of the model as the server knows it; None where it has only one.
        api_key: Bearer token, or None for a server that wants none.
        timeout_s: Seconds until an answer must be there.
        text_tokens: About how many tokens of a text are sent; None sends all. For servers that
            refuse what is too long instead of cutting it off.
        transport: Where requests go, instead of the network: a Unix socket, or a test's server.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 2.0,
        text_tokens: int | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = base_url.rstrip("/") + "/rerank"
        self._model = model
        self._timeout_s = timeout_s
        self._text_tokens = text_tokens
        self._texts_name = "documents"
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=timeout_s,
            transport=transport,
        )

    @property
    def name(self) -> str:
        """The model's name on its server, or the server's."""
        return self._model or httpx.URL(self._url).host

    async def rerank(self, question: str, hits: Sequence[Hit]) -> Sequence[float]:
        """Return the server's score of each hit, in the hits' order.

        Raises:
            ModelError: The server cannot be reached, refuses, is too slow, or answers nonsense.
        """
        if not hits:
            return []
        texts = [self._cut(embedding_text(hit.chunk, hit.document.title)) for hit in hits]
        status, answer = await self._post(question, texts)
        if status in _REFUSED_BODY and self._texts_name == "documents" and b"`texts`" in answer:
            self._texts_name = "texts"
            status, answer = await self._post(question, texts)
        self._refuse_failure(status, answer)
        return self._scores(answer, len(texts))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _cut(self, text: str) -> str:
        limit = self._text_tokens
        if limit is None or len(text) <= limit:
            return text
        cost = accumulate(1.0 if ord(char) > _LATIN else _LATIN_TOKENS for char in text)
        return text[: sum(1 for _ in takewhile(lambda spent: spent <= limit, cost))]

    async def _post(self, question: str, texts: Sequence[str]) -> tuple[int, bytes]:
        body: dict[str, object] = {"query": question, self._texts_name: texts}
        if self._texts_name == "texts":
            body["truncate"] = True
        else:
            body["top_n"] = len(texts)
        if self._model is not None:
            body["model"] = self._model
        try:
            async with asyncio.timeout(self._timeout_s):
                request = self._client.build_request("POST", self._url, json=body)
                response = await self._client.send(request, stream=True)
                try:
                    return response.status_code, await self._read(response)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.TimeoutException):
            raise ModelError(
                "error.rerank_timeout", url=self._shown_url, seconds=self._timeout_s
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise ModelError(
                "error.rerank_unreachable", url=self._shown_url, reason=reason
            ) from None

    async def _read(self, response: httpx.Response) -> bytes:
        answer = b""
        async for piece in response.aiter_bytes():
            answer += piece
            if len(answer) > _MAX_ANSWER_BYTES:
                raise self._broken(f"> {_MAX_ANSWER_BYTES} bytes")
        return answer

    def _refuse_failure(self, status: int, answer: bytes) -> None:
        if httpx.codes.is_success(status):
            return
        reason = answer.decode("utf-8", "replace").strip()[:_REASON_CHARACTERS]
        key = (
            "error.rerank_refused" if httpx.codes.is_client_error(status) else "error.rerank_server"
        )
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            key = "error.rerank_key"
        raise ModelError(key, url=self._shown_url, model=self.name, status=status, reason=reason)

    def _scores(self, answer: bytes, count: int) -> list[float]:
        scores: dict[int, float] = {}
        try:
            found: Any = json.loads(answer)
            if isinstance(found, dict):
                found = found["results"] if "results" in found else found["data"]
            for one in found:
                score = one["relevance_score"] if "relevance_score" in one else one["score"]
                scores[int(one["index"])] = float(score)
        except (ValueError, LookupError, TypeError) as error:
            raise self._broken(f"{type(error).__name__}: {error}") from None
        if scores.keys() != set(range(count)) or not all(map(math.isfinite, scores.values())):
            raise self._broken(f"{len(scores)} scores for {count} texts")
        return [scores[index] for index in range(count)]

    def _broken(self, reason: str) -> ModelError:
        return ModelError("error.rerank_broken", url=self._shown_url, reason=reason)

    @property
    def _shown_url(self) -> str:
        # A URL may carry a password or a key; neither belongs on a screen or in a log.
        try:
            url = httpx.URL(self._url)
        except httpx.InvalidURL:
            return "?"
        return str(url.copy_with(username=None, password=None, query=None))
