"""Pages of the web as files: one page, or those it leads to, as the site's robots.txt allows."""

from __future__ import annotations

import asyncio
import mimetypes
import posixpath
import re
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from wenqu.errors import SourceError
from wenqu.protocols import MissedFile, SourceFile
from wenqu.sources.client import USER_AGENT, Page, checked_url, web_client
from wenqu.text.markup import shallow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable

    from protego import Protego

    from wenqu.sources.client import WebClient

__all__ = ["WebLimits", "WebSource", "crawl", "is_url"]

_URL = re.compile(r"https?://", re.IGNORECASE)
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_ROBOTS_BYTES = 512 << 10  # what RFC 9309 §2.5 asks to read at least
_MAX_DELAY_S = 30.0
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_UNSAFE = re.compile(r"[^\w.-]+")
_MAX_NAME = 80
# Parts of pages, never documents: not worth a request.
_PARTS = re.compile(
    r"\.(?:css|m?js|map|ico|woff2?|ttf|eot|mp[34]|webm|avi|mov|wav|exe|dmg|iso)\Z", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebLimits:
    """What fetching pages may cost.

    ``max_pages`` is of one start; ``delay_s`` lies between two requests at least, more where
    robots.txt asks for it.
    """

    allow_private: bool = False
    max_pages: int = 200
    max_mb: int = 100
    timeout_s: float = 60.0
    delay_s: float = 0.2


class WebSource:
    """Gives pages as files in a folder of its own, which is gone when the last was taken.

    Args:
        depth: How many links away from the page that is asked for; 0 for that page alone.
        limits: What it may cost.
    """

    def __init__(self, *, depth: int, limits: WebLimits) -> None:
        self._depth = depth
        self._limits = limits

    def takes(self, target: str) -> bool:
        """Say whether ``target`` names a page."""
        return is_url(target)

    async def files(self, target: str) -> AsyncGenerator[SourceFile | MissedFile, None]:
        """Yield the page, and those that it leads to."""
        with TemporaryDirectory(prefix="wenqu-") as folder:
            found = crawl(target, depth=self._depth, folder=Path(folder), limits=self._limits)
            async with aclosing(found):
                async for one in found:
                    yield one


def is_url(target: str) -> bool:
    """Say whether a user means a page by ``target``, and not a path."""
    return _URL.match(target) is not None


async def crawl(
    start: str, *, depth: int, folder: Path, limits: WebLimits
) -> AsyncGenerator[SourceFile | MissedFile, None]:
    """Yield the page at ``start``, and those up to ``depth`` links away, nearest first.

    Links are followed on the same host and below the folder of the first page. Each file lies in
    ``folder`` when it is yielded, and may be deleted then.

    Args:
        start: Where to begin.
        depth: 0 for that page alone.
        folder: An empty folder.
        limits: What it may cost.
    """
    async with web_client(
        allow_private=limits.allow_private, max_mb=limits.max_mb, timeout_s=limits.timeout_s
    ) as client:
        walk = _Walk(client, start, depth, limits)
        async for found in walk.run():
            if isinstance(found, MissedFile):
                yield found
                continue
            path = folder / _file_name(walk.count, found)
            await asyncio.to_thread(path.write_bytes, found.body)
            yield SourceFile(path=path, source=found.url)


class _Walk:
    """One breadth-first walk over a site."""

    def __init__(self, client: WebClient, start: str, depth: int, limits: WebLimits) -> None:
        self._client = client
        self._start = start
        self._depth = depth
        self._limits = limits
        self._robots: dict[str, Protego | None] = {}
        self.count = 0

    async def run(self) -> AsyncIterator[Page | MissedFile]:
        try:
            start = checked_url(self._start)
        except SourceError as error:
            yield MissedFile(source=self._start, error=error)
            return
        queue = deque([(start, 0)])
        known = {start}
        given: set[str] = set()
        while queue and self.count < self._limits.max_pages:
            url, depth = queue.popleft()
            try:
                page = await self._page(url)
            except SourceError as error:
                # A dead link is the site's; the page that was asked for by name is the user's.
                if depth == 0 or error.key != "source.status":
                    yield MissedFile(source=url, error=error)
                continue
            if page.url in given or (depth and not _below(page.url, start)):
                continue
            given.add(page.url)
            self.count += 1
            yield page
            if depth < self._depth and page.kind in _HTML:
                for link in await asyncio.to_thread(_links, page):
                    if link not in known and _below(link, start):
                        known.add(link)
                        queue.append((link, depth + 1))

    async def _page(self, url: str) -> Page:
        robots = await self._rules(url)
        delay = self._limits.delay_s
        if robots is not None:
            if not robots.can_fetch(url, USER_AGENT):
                raise SourceError("source.robots", url=url)
            delay = max(delay, min(float(robots.crawl_delay(USER_AGENT) or 0), _MAX_DELAY_S))
        if self.count:
            await asyncio.sleep(delay)
        return await self._client.get(url)

    async def _rules(self, url: str) -> Protego | None:
        """Return what the site asks of robots, fetched once; None where it asks nothing.

        Raises:
            SourceError: The site cannot be reached, or its server fails: then nobody knows what it
                would ask. Source: RFC 9309 §2.3.1.
        """
        from protego import Protego

        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._robots:
            self._robots[origin] = None
            try:
                page = await self._client.get(f"{origin}/robots.txt")
            except SourceError as error:
                status = error.values.get("status")
                if not (isinstance(status, int) and _CLIENT_ERROR <= status < _SERVER_ERROR):
                    del self._robots[origin]
                    raise
            else:
                text = page.body[:_ROBOTS_BYTES].decode("utf-8", "replace")
                self._robots[origin] = Protego.parse(text)
        return self._robots[origin]


def _links(page: Page) -> list[str]:
    """Return the URLs that a page links to, each once, in order."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(shallow(page.body.decode("utf-8", "replace")))
    robots = tree.css_first("meta[name=robots]")
    if robots is not None and "nofollow" in (robots.attributes.get("content") or "").lower():
        return []
    base = tree.css_first("base[href]")
    root = urljoin(page.url, (base.attributes.get("href") if base is not None else "") or "")
    targets = (node.attributes.get("href") or "" for node in tree.css("a[href]"))
    return list(dict.fromkeys(_joined(root, targets)))


def _joined(root: str, targets: Iterable[str]) -> Iterable[str]:
    for target in targets:
        try:
            url = checked_url(urldefrag(urljoin(root, target.strip())).url)
        except (SourceError, ValueError):
            continue
        if not _PARTS.search(urlsplit(url).path):
            yield url


def _below(url: str, start: str) -> bool:
    """Say whether ``url`` is on the host of ``start`` and in its folder or deeper."""
    one, first = urlsplit(url), urlsplit(start)
    folder = first.path[: first.path.rfind("/") + 1]
    return one.netloc == first.netloc and one.path.startswith(folder)


def _file_name(number: int, page: Page) -> str:
    """Return a name that tells the readers the format, and nothing that a path may not hold."""
    last = unquote(posixpath.basename(urlsplit(page.url).path))
    stem, suffix = posixpath.splitext(_UNSAFE.sub("_", last))
    if page.kind in _HTML or not suffix:
        suffix = ".html" if page.kind in _HTML else mimetypes.guess_extension(page.kind) or ""
    return f"{number}-{stem[:_MAX_NAME] or 'page'}{suffix}"
