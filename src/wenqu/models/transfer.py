"""Downloads one file: goes on where it was cut off, by HTTP or from a file address.

A large one comes in segments, several at a time: one connection alone seldom fills a line. Each
segment is a file of its own until those before it are there, so that all that came is kept.
"""

from __future__ import annotations

import hashlib
import shutil
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from wenqu.models.packages import PipSettings

    OnBytes = Callable[[int, int | None], None]
    """Called with the bytes there are so far and in all, None when not told."""

__all__ = ["Segments", "TransferError", "download", "download_segments", "sha256_of"]

_CONNECT_S = 5.0  # where a hub is shut out, the next source should be tried soon
_READ_S = 60.0
_ATTEMPTS = 4

_PARTIAL = 206
_RANGE_REFUSED = 416
_PIECE = 1 << 20


class TransferError(Exception):
    """The file did not come. Says why, without user names or passwords."""


class NoRangesError(TransferError):
    """The server sends a file from its beginning only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """How a file of ``size`` bytes is cut, and how many segments come at a time."""

    size: int
    segment: int = 32 << 20
    connections: int = 4

    @property
    def bounds(self) -> list[tuple[int, int]]:
        """The first byte of each segment, and the one after its last."""
        starts = range(0, self.size, self.segment)
        return [(start, min(start + self.segment, self.size)) for start in starts]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(url: str, path: Path, settings: PipSettings, on_bytes: OnBytes) -> None:
    """Fetch ``url`` into ``path``, going on from what ``path`` holds already.

    Args:
        url: http, https or file.
        path: Kept when the transfer breaks off, so that the next call goes on from there.
        settings: Certificate, passwords and trusted hosts.
        on_bytes: Called with the bytes there are so far and in all, None when not told.

    Raises:
        TransferError: It did not come whole after some attempts.
    """
    if urlsplit(url).scheme == "file":
        _copy(url, path, on_bytes)
        return
    with _client(url, settings) as client:
        _Fetch(client, url, settings.with_user(url), path, on_bytes).try_hard()


def download_segments(
    url: str,
    path: Path,
    settings: PipSettings,
    segments: Segments,
    on_bytes: OnBytes,
) -> None:
    """Fetch ``url`` into ``path`` as ``download`` does, several segments at a time.

    A server that cannot send a part of a file is asked for all of it at once.

    Raises:
        TransferError: It did not come whole after some attempts; what came is kept.
    """
    joined = _size(path)
    if segments.size <= segments.segment or urlsplit(url).scheme == "file":
        download(url, path, settings, on_bytes)
        return
    if joined % segments.segment and not _segment_files(path):
        # Begun from its beginning, on a server without ranges or by an earlier release.
        download(url, path, settings, on_bytes)
        return
    with _client(url, settings) as client:
        try:
            _Segmented(client, url, settings.with_user(url), path, segments, on_bytes).run()
        except NoRangesError:
            pass
        else:
            return
    for part in _segment_files(path):
        part.unlink()
    download(url, path, settings, on_bytes)


def _client(url: str, settings: PipSettings) -> httpx.Client:
    import httpx

    host = urlsplit(url).hostname or ""
    verify: ssl.SSLContext | bool = host not in settings.trusted and _tls(settings.certificate)
    timeout = httpx.Timeout(_READ_S, connect=_CONNECT_S)
    return httpx.Client(verify=verify, timeout=timeout, follow_redirects=True)


def _segment_files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.[0-9]*"))


@dataclass(slots=True)
class _Segmented:
    """A file that comes in segments; those that are whole are joined in order."""

    client: httpx.Client
    url: str
    address: str
    path: Path
    segments: Segments
    on_bytes: OnBytes
    have: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        bounds = self.segments.bounds
        # A segment that was being joined when the program ended is joined again, from its start.
        done = min(_size(self.path) // self.segments.segment, len(bounds) - 1)
        self.path.touch()
        with self.path.open("r+b") as file, ThreadPoolExecutor(self.segments.connections) as pool:
            file.truncate(done * self.segments.segment)
            file.seek(0, 2)
            self.have = {-1: file.tell()}
            coming = [pool.submit(self._fetch, number) for number in range(done, len(bounds))]
            try:
                for number, one in enumerate(coming, done):
                    one.result()
                    part = self._part(number)
                    with part.open("rb") as source:
                        shutil.copyfileobj(source, file, _PIECE)
                    file.flush()
                    part.unlink()
            except BaseException:
                self.stopped.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _part(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number:05d}")

    def _fetch(self, number: int) -> None:
        start, end = self.segments.bounds[number]

        def tell(have: int, _: int | None) -> None:
            if self.stopped.is_set():
                raise TransferError("stopped")
            with self.lock:
                self.have[number] = have
                self.on_bytes(sum(self.have.values()), self.segments.size)

        part = self._part(number)
        if _size(part) > end - start:
            part.unlink()
        _Fetch(self.client, self.url, self.address, part, tell, (start, end)).try_hard()
        if _size(part) != end - start:
            raise NoRangesError(f"{urlsplit(self.url).hostname}: a part of another length")


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One request's worth of a file: all of it, or the bytes within ``bounds`` (start, end)."""

    client: httpx.Client
    url: str  # as it may be shown
    address: str
    path: Path
    on_bytes: OnBytes
    bounds: tuple[int, int] | None = None

    def try_hard(self) -> None:
        """Try again where the line breaks, as long as each attempt brings something.

        Raises:
            TransferError: It did not come.
        """
        import httpx

        host = urlsplit(self.url).hostname or ""
        for attempt in range(1, _ATTEMPTS + 1):
            before = _size(self.path)
            try:
                self._attempt()
            except httpx.HTTPStatusError as error:
                raise TransferError(f"{host}: HTTP {error.response.status_code}") from None
            except httpx.HTTPError as error:
                # Try again only where the last attempt brought something.
                if attempt == _ATTEMPTS or _size(self.path) <= before:
                    raise TransferError(f"{host}: {type(error).__name__}") from None
            except (httpx.InvalidURL, OSError) as error:
                raise TransferError(f"{host}: {type(error).__name__}") from None
            else:
                return

    def _attempt(self) -> None:
        have = _size(self.path)
        if self.bounds is not None and have >= self.bounds[1] - self.bounds[0]:
            self.on_bytes(have, have)
            return
        # Compressed on the way, a range would count other bytes than those kept.
        headers = {"Accept-Encoding": "identity"} | self._range(have)
        with self.client.stream("GET", self.address, headers=headers) as response:
            if response.status_code == _RANGE_REFUSED:
                return  # nothing is left to come: the hash decides whether what is there is right
            response.raise_for_status()
            resumed = response.status_code == _PARTIAL
            if self.bounds is not None and not resumed:
                raise NoRangesError(f"{urlsplit(self.url).hostname}: no ranges")
            have = have if resumed else 0
            length = response.headers.get("Content-Length")
            total = have + int(length) if length else None
            with self.path.open("ab" if resumed else "wb") as file:
                for piece in response.iter_raw():
                    file.write(piece)
                    have += len(piece)
                    self.on_bytes(have, total)

    def _range(self, have: int) -> dict[str, str]:
        if self.bounds is not None:
            start, end = self.bounds
            return {"Range": f"bytes={start + have}-{end - 1}"}
        return {"Range": f"bytes={have}-"} if have else {}


def _copy(url: str, path: Path, on_bytes: OnBytes) -> None:
    origin = Path(url2pathname(urlsplit(url).path))
    try:
        shutil.copyfile(origin, path)
    except OSError as error:
        raise TransferError(f"{origin}: {error.strerror}") from None
    on_bytes(_size(path), _size(path))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _tls(certificate: str | None) -> ssl.SSLContext:
    """Return a context that trusts the system, the usual authorities and the user's own."""
    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    if certificate:
        try:
            context.load_verify_locations(certificate)
        except OSError as error:
            raise TransferError(f"{certificate}: {error.strerror}") from None
    return context
