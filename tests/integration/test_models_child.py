"""A child process and the one that started it, with a child that stands for a library."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from wenqu.models.child import Child, ChildError

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
import argparse, http.server, os, socketserver, sys, threading
from wenqu.models.child import Parent

parser = argparse.ArgumentParser()
parser.add_argument("--socket")
parser.add_argument("--how")
given = parser.parse_args()
parent = Parent(given.socket)
os.write(1, b"a library that talks\\n")
if given.how == "fails":
    sys.exit("  no such model  ")
if given.how == "crashes":
    os.abort()
if given.how == "hangs":
    threading.Event().wait()

class Door(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        right = self.headers["Authorization"] == f"Bearer {parent.key}"
        self.send_response(200 if right else 401)
        self.end_headers()

    def address_string(self):
        return ""

server = socketserver.UnixStreamServer(given.socket, Door)
threading.Thread(target=server.serve_forever, daemon=True).start()
parent.ready(given.socket)
parent.end_with()
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "standin.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(path for path in sys.path if path)}")


async def start(how: str, timeout_s: float = 60) -> Child:
    return await Child.start("standin", ["--how", how], timeout_s=timeout_s)


def test_it_answers_who_has_its_key_and_ends_when_it_is_closed() -> None:
    async def run() -> None:
        child = await start("serves")
        async with httpx.AsyncClient(transport=child.transport(), timeout=120) as client:
            right = {"Authorization": f"Bearer {child.key}"}
            assert (await client.get(child.url, headers=right)).status_code == 200
            assert (await client.get(child.url)).status_code == 401
        assert not child.ended
        folder = child._folder
        assert folder.is_dir()
        await child.close()
        assert child.ended
        assert not folder.exists()

    asyncio.run(run())


def test_it_ends_with_its_parent_and_takes_its_folder_along() -> None:
    async def run() -> None:
        child = await start("serves")
        assert child.process.stdin is not None
        child.process.stdin.close()
        assert await asyncio.wait_for(child.process.wait(), 120) == 0
        assert not child._folder.exists()
        await child.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("how", "said"), [("fails", "no such model"), ("crashes", "a library that talks")]
)
def test_its_last_words_say_why_it_could_not_be_started(how: str, said: str) -> None:
    with pytest.raises(ChildError) as caught:
        asyncio.run(start(how))
    assert str(caught.value) == said


def test_one_that_is_never_ready_is_given_up() -> None:
    with pytest.raises(ChildError, match=r"0\.5 s"):
        asyncio.run(start("hangs", timeout_s=0.5))
