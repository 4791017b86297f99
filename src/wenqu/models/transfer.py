"""Downloads one file: goes on where it was cut off, by HTTP or from a file address."""

from __future__ import annotations

import hashlib
import shutil
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from wenqu.models.packages import PipSettings

__all__ = ["TransferError", "download", "sha256_of"]

_CONNECT_S = 5.0  # where a hub is shut out, the next source should be tried soon
_READ_S = 60.0
_ATTEMPTS = 4

_PARTIAL = 206
_RANGE_REFUSED = 416


class TransferError(Exception):
    """The file did not come. Says why, without user names or passwords."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(
    url: str, path: Path, settings: PipSettings, on_bytes: Callable[[int, int | None], None]
) -> None:
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
    import httpx

    address = settings.with_user(url)
    host = urlsplit(url).hostname or ""
    verify: ssl.SSLContext | bool = host not in settings.trusted and _tls(settings.certificate)
    timeout = httpx.Timeout(_READ_S, connect=_CONNECT_S)
    with httpx.Client(verify=verify, timeout=timeout, follow_redirects=True) as client:
        for attempt in range(1, _ATTEMPTS + 1):
            before = _size(path)
            try:
                _fetch(client, address, path, on_bytes)
            except httpx.HTTPStatusError as error:
                raise TransferError(f"{host}: HTTP {error.response.status_code}") from None
            except httpx.HTTPError as error:
                # Try again only where the last attempt brought something.
                if attempt == _ATTEMPTS or _size(path) <= before:
                    raise TransferError(f"{host}: {type(error).__name__}") from None
            except (httpx.InvalidURL, OSError) as error:
                raise TransferError(f"{host}: {type(error).__name__}") from None
            else:
                return


def _fetch(
    client: httpx.Client, url: str, path: Path, on_bytes: Callable[[int, int | None], None]
) -> None:
    have = _size(path)
    # Compressed on the way, a range would count other bytes than those kept.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == _RANGE_REFUSED:
            return  # nothing is left to come: the hash decides whether what is there is right
        response.raise_for_status()
        resumed = response.status_code == _PARTIAL
        have = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with path.open("ab" if resumed else "wb") as file:
            for piece in response.iter_raw():
                file.write(piece)
                have += len(piece)
                on_bytes(have, total)


def _copy(url: str, path: Path, on_bytes: Callable[[int, int | None], None]) -> None:
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
