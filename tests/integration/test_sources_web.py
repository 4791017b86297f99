"""Pages fetched from a real server on this machine."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from wenqu.protocols import MissedFile, SourceFile
from wenqu.sources.web import WebLimits, crawl, is_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Found = list[SourceFile | MissedFile]

HTML = "text/html; charset=utf-8"


@contextmanager
def site(
    pages: Mapping[str, tuple[int, Mapping[str, str], bytes]],
) -> Iterator[tuple[str, list[str]]]:
    """Serve pages; give the site's root and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, body = pages.get(self.path, (404, {}, b"no such page"))
            if "X-Slow" in headers:
                time.sleep(1.5)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def html(*links: str, text: str = "text") -> tuple[int, Mapping[str, str], bytes]:
    body = text + "".join(f'<a href="{link}">to</a>' for link in links)
    return 200, {"Content-Type": HTML}, f"<html><body>{body}</body></html>".encode()


def fetched(start: str, folder: Path, depth: int = 0, **limits: object) -> Found:
    wanted = WebLimits(**{"allow_private": True, "delay_s": 0.0, **limits})  # type: ignore[arg-type]

    async def work() -> Found:
        return [one async for one in crawl(start, depth=depth, folder=folder, limits=wanted)]

    return asyncio.run(work())


def sources(found: Found) -> list[str]:
    return [one.source for one in found]


def error_of(found: Found) -> str:
    (one,) = found
    assert isinstance(one, MissedFile)
    return one.error.key


def test_one_page_becomes_one_file_that_says_its_format(tmp_path: Path) -> None:
    with site({"/a/b": html("/a/c", text="你好")}) as (root, asked):
        (page,) = fetched(f"{root}/a/b#part", tmp_path)
    assert isinstance(page, SourceFile)
    assert page.source == f"{root}/a/b"
    assert page.path.suffix == ".html"
    assert "你好" in page.path.read_text("utf-8")
    assert asked == ["/robots.txt", "/a/b"]


def test_links_are_followed_as_deep_as_asked_and_no_further_up(tmp_path: Path) -> None:
    pages = {
        "/docs/": html(
            "a", "b.html#x", "/other", "//elsewhere.invalid/", "mailto:x@y.z", "pic.css"
        ),
        "/docs/a": html("c", "/docs/"),
        "/docs/b.html": html("a"),
        "/docs/c": html("d"),
        "/docs/d": html(),
        "/other": html(),
    }
    with site(pages) as (root, asked):
        found = fetched(f"{root}/docs/", tmp_path, depth=2)
    assert sources(found) == [f"{root}/docs/{name}" for name in ("", "a", "b.html", "c")]
    assert "/other" not in asked
    assert len(asked) == len(set(asked))


def test_what_robots_txt_forbids_is_not_asked_for(tmp_path: Path) -> None:
    robots = b"User-agent: *\nDisallow: /docs/private*\n"
    pages = {
        "/robots.txt": (200, {"Content-Type": "text/plain"}, robots),
        "/docs/": html("private-a", "open"),
        "/docs/open": html(),
        "/docs/private-a": html(),
    }
    with site(pages) as (root, asked):
        found = fetched(f"{root}/docs/", tmp_path, depth=1)
        assert error_of(fetched(f"{root}/docs/private-a", tmp_path)) == "source.robots"
    assert "/docs/private-a" not in asked
    assert [one.source for one in found if isinstance(one, SourceFile)] == [
        f"{root}/docs/",
        f"{root}/docs/open",
    ]


def test_a_site_whose_robots_txt_fails_is_left_alone(tmp_path: Path) -> None:
    with site({"/robots.txt": (503, {}, b""), "/": html()}) as (root, asked):
        assert error_of(fetched(root, tmp_path)) == "source.status"
    assert asked == ["/robots.txt"]


def test_private_addresses_are_refused_unless_allowed(tmp_path: Path) -> None:
    with site({"/": html()}) as (root, asked):
        assert error_of(fetched(root, tmp_path, allow_private=False)) == "source.private"
    assert asked == []


def test_a_redirect_is_followed_and_names_the_page(tmp_path: Path) -> None:
    pages = {"/old": (302, {"Location": "/new#top"}, b""), "/new": html()}
    with site(pages) as (root, _):
        assert sources(fetched(f"{root}/old", tmp_path)) == [f"{root}/new"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://"])
def test_a_redirect_to_anything_but_a_page_is_refused(tmp_path: Path, target: str) -> None:
    with site({"/": (302, {"Location": target}, b"")}) as (root, _):
        assert error_of(fetched(root, tmp_path)) in {"source.url", "source.failed"}


def test_redirects_in_a_circle_end(tmp_path: Path) -> None:
    with site({"/": (302, {"Location": "/"}, b"")}) as (root, _):
        assert error_of(fetched(root, tmp_path)) == "source.failed"


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_beyond_the_limit_is_refused_also_when_it_is_packed(
    tmp_path: Path, *, packed: bool
) -> None:
    body = bytes(3 << 20)
    headers = {"Content-Type": HTML, **({"Content-Encoding": "gzip"} if packed else {})}
    pages = {"/": (200, headers, gzip.compress(body) if packed else body)}
    with site(pages) as (root, _):
        assert error_of(fetched(root, tmp_path, max_mb=2)) == "source.too_big"


def test_a_server_that_dawdles_is_given_up(tmp_path: Path) -> None:
    with site({"/robots.txt": (200, {"X-Slow": "1"}, b""), "/": html()}) as (root, _):
        assert error_of(fetched(root, tmp_path, timeout_s=0.5)) == "source.timeout"


def test_a_dead_link_is_the_sites_and_a_dead_start_the_users(tmp_path: Path) -> None:
    with site({"/docs/": html("gone")}) as (root, _):
        assert sources(fetched(f"{root}/docs/", tmp_path, depth=1)) == [f"{root}/docs/"]
        assert error_of(fetched(f"{root}/gone", tmp_path)) == "source.status"


def test_a_crawl_ends_at_its_limit(tmp_path: Path) -> None:
    pages = {f"/{n}": html(f"/{n + 1}") for n in range(9)}
    with site(pages) as (root, _):
        assert len(fetched(f"{root}/0", tmp_path, depth=9, max_pages=3)) == 3


def test_a_page_asks_robots_not_to_follow_its_links(tmp_path: Path) -> None:
    body = b'<html><head><meta name="robots" content="noindex, NOFOLLOW"></head><a href="b">b</a>'
    with site({"/a": (200, {"Content-Type": HTML}, body), "/b": html()}) as (root, _):
        assert sources(fetched(f"{root}/a", tmp_path, depth=1)) == [f"{root}/a"]


def test_a_file_keeps_the_suffix_of_its_kind(tmp_path: Path) -> None:
    pages = {"/get?id=1": (200, {"Content-Type": "application/pdf"}, b"%PDF-1.7")}
    with site(pages) as (root, _):
        (file,) = fetched(f"{root}/get?id=1", tmp_path)
    assert isinstance(file, SourceFile)
    assert file.path.suffix == ".pdf"


def test_nobody_listening_is_said_in_words(tmp_path: Path) -> None:
    assert error_of(fetched("http://127.0.0.1:9/", tmp_path)) == "source.failed"


def test_only_addresses_of_pages_are_urls() -> None:
    assert is_url("HTTPS://example.com/a")
    assert not is_url("docs/https.md")
    assert not is_url("git+https://example.com/a.git")
