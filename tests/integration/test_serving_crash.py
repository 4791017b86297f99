"""A model server that is killed in mid-answer: what the client gets, and what is kept."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Says a word and waits, or counts to three, by what it is asked; both in OpenAI's protocol.
SERVER = textwrap.dedent("""
    import http.server, json, sys, time

    chunked = sys.argv[2] == "chunked"

    class Door(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1" if chunked else "HTTP/1.0"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            if chunked:
                self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            turns = len(body["messages"])
            hanging = "停" in body["messages"][-1]["content"]
            for word in ["一", "二", "三"][: 2 if hanging else 3] + [f"（{turns}）"]:
                self.event(json.dumps({"choices": [{"delta": {"content": word}}]}))
            if hanging:
                time.sleep(600)
            self.event("[DONE]")
            if chunked:
                self.wfile.write(b"0\\r\\n\\r\\n")

        def event(self, data):
            line = f"data: {data}\\n\\n".encode()
            self.wfile.write(b"%x\\r\\n%b\\r\\n" % (len(line), line) if chunked else line)
            self.wfile.flush()

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer.allow_reuse_port = True
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Door)
    print("ready", flush=True)
    server.serve_forever()
""")


@contextmanager
def model_server(port: int, framing: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SERVER, str(port), framing]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def port() -> Iterator[int]:
    """A port that nobody else can take: it is held here, though nobody listens."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@contextmanager
def wenqu_serve(home: Path, port: int) -> Iterator[httpx.Client]:
    command = [sys.executable, "-m", "wenqu", "--home", str(home)]
    command += ["serve", "--port", "0"]
    settings = {
        "WENQU_CHAT__BASE_URL": f"http://127.0.0.1:{port}/v1",
        "WENQU_CHAT__MODEL": "scripted",
        "WENQU_CHAT__RETRIES": "0",
    }
    with subprocess.Popen(
        command, env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            address = next(
                found[0] for line in process.stderr if (found := re.search(r"http://[^ ]+\d", line))
            )
            # What it says later must not fill the pipe.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            with httpx.Client(base_url=address, timeout=120, trust_env=False) as client:
                yield client
        finally:
            process.terminate()


def events(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def said(client: httpx.Client, talk: str, text: str) -> dict[str, Any]:
    response = client.post(f"{talk}/say", json={"text": text, "stream": False})
    found: dict[str, Any] = response.json()
    return found


@pytest.mark.parametrize("framing", ["chunked", "until it closes"])
def test_killing_the_model_server_in_mid_answer_costs_the_rest_of_that_answer(
    tmp_path: Path, port: int, framing: str
) -> None:
    with wenqu_serve(tmp_path / "home", port) as client:
        begun = client.post("/api/conversations", json={"kb": None}).json()
        talk = f"/api/conversations/{begun['id']}"
        with model_server(port, framing) as model:
            assert said(client, talk, "数一数")["answer"] == "一二三（1）"
            heard = []
            with client.stream("POST", f"{talk}/say", json={"text": "停在中间"}) as response:
                for name, data in events(response):
                    heard.append((name, data))
                    if len(heard) == 3:
                        model.kill()
        # The client is told, in an orderly end of the stream, after all that was said.
        assert [data for name, data in heard if name == "text"] == ["一", "二", "（3）"]
        name, error = heard[-1]
        assert name == "error"
        assert error["hint"]

        refused = client.post(f"{talk}/say", json={"text": "还在吗", "stream": False})
        assert refused.status_code == 503
        assert refused.json()["hint"]

        with model_server(port, framing):
            # It is told of both turns: the whole one, and the one that was cut off.
            assert said(client, talk, "再数")["answer"] == "一二三（5）"
        turns = client.get(talk).json()["turns"]
    assert [(turn["question"], turn["answer"], turn["outcome"]) for turn in turns] == [
        ("数一数", "一二三（1）", "chat"),
        ("停在中间", "一二（3）", "failed"),
        ("再数", "一二三（5）", "chat"),
    ]
