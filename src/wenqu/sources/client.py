"""Fetches one page at a time, with every address, redirect and byte counted and checked."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urldefrag

import httpx

from wenqu.errors import SourceError
from wenqu.sources.addresses import resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["USER_AGENT", "Page", "WebClient", "checked_url", "web_client"]

USER_AGENT = "wenqu"
"""What robots.txt calls us."""

_MB = 1 << 20
_MAX_REDIRECTS = 10
_CONNECT_S = 15.0
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a server sent: ``url`` is where it came from in the end, ``kind`` its media type."""

    url: str
    kind: str
    body: bytes


def checked_url(url: str) -> str:
    """Return a URL as it is asked for: http or https, with a host, without a fragment.

    Names and passwords in it go: a source is shown to everybody who asks.

    Raises:
        SourceError: It is not such a URL.
    """
    try:
        parsed = httpx.URL(urldefrag(url).url)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise SourceError("source.url", url=url) from error
    if parsed.scheme not in _PORTS or not parsed.host:
        raise SourceError("source.url", url=url)
    if not parsed.path or parsed.path == "/":
        parsed = parsed.copy_with(path="/")
    return str(parsed.copy_with(username=None, password=None))


class WebClient:
    """An HTTP client for addresses that nobody has vouched for. Use it as ``web_client``.

    Args:
        client: Follows no redirects and reads no proxies from the environment: both would connect
            where nobody has looked.
        allow_private: Whether addresses of this machine and its networks may be asked.
        max_mb: The most that is read of one page, unpacked.
        timeout_s: Seconds that one page may take in all.
    """

    def __init__(
        self, client: httpx.AsyncClient, *, allow_private: bool, max_mb: int, timeout_s: float
    ) -> None:
        self._client = client
        self._allow_private = allow_private
        self._max_mb = max_mb
        self._timeout_s = timeout_s

    async def get(self, url: str) -> Page:
        """Return what is at a URL, redirects followed.

        Raises:
            SourceError: It cannot be had: the address must not be used, the server refused, or it
                took too long or sent too much.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._followed(checked_url(url))
        except TimeoutError as error:
            raise SourceError(
                "source.timeout", url=url, timeout_s=f"{self._timeout_s:g}"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise SourceError("source.failed", url=url, reason=reason) from error

    async def _followed(self, url: str) -> Page:
        asked = url
        for _ in range(_MAX_REDIRECTS + 1):
            async with self._response(asked) as response:
                target = response.headers.get("location")
                if not (response.is_redirect and target):
                    return await self._page(asked, response)
            asked = checked_url(str(httpx.URL(asked).join(target)))
        raise SourceError("source.failed", url=url, reason=f"> {_MAX_REDIRECTS} redirects")

    @asynccontextmanager
    async def _response(self, url: str) -> AsyncIterator[httpx.Response]:
        named = httpx.URL(url)
        port = named.port or _PORTS[named.scheme]
        addresses = await resolve(named.host, port, allow_private=self._allow_private)
        # To the address that was looked at, under the name that was asked for.
        request = self._client.build_request(
            "GET",
            named.copy_with(host=addresses[0]),
            headers={"Host": named.netloc.decode("ascii")},
            extensions={"sni_hostname": named.raw_host.decode("ascii")},
        )
        response = await self._client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    async def _page(self, url: str, response: httpx.Response) -> Page:
        if response.status_code != httpx.codes.OK:
            reason = f"HTTP {response.status_code} {response.reason_phrase}".strip()
            raise SourceError("source.status", url=url, reason=reason, status=response.status_code)
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > self._max_mb * _MB:
                raise SourceError("source.too_big", url=url, limit_mb=self._max_mb)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Page(url=url, kind=kind, body=bytes(body))


@asynccontextmanager
async def web_client(
    *, allow_private: bool, max_mb: int, timeout_s: float
) -> AsyncIterator[WebClient]:
    """Open a client, and close its connections at the end."""
    async with httpx.AsyncClient(
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(timeout_s, connect=_CONNECT_S),
        # Only what unpacks piece by piece, so that a small body cannot become a huge one at once.
        headers={"User-Agent": f"{USER_AGENT} (knowledge base)", "Accept-Encoding": "gzip"},
    ) as client:
        yield WebClient(client, allow_private=allow_private, max_mb=max_mb, timeout_s=timeout_s)
