"""``wenqu chat``, line by line from a pipe and in a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from wenqu.app import App, open_app
from wenqu.cli.main import app as cli
from wenqu.testing.chat import ScriptedChat
from wenqu.testing.embedder import FakeEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

WARRANTY = "The warranty of the kettle lasts two years."
# A program of its own, since Ctrl-C is for a process: `wenqu chat` with the scripted model.
PROGRAM = """
import sys
from wenqu.app import App
from wenqu.cli.main import run
from wenqu.testing.chat import ScriptedChat
chat = ScriptedChat("one two three four", hold_at=4)
App.chat_model = lambda app: chat
sys.argv = ["wenqu", "chat"]
run()
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one document in the knowledge base ``made``."""
    file = tmp_path / "kettle.md"
    file.write_text(f"# Kettle\n\n{WARRANTY}", "utf-8")

    async def fill() -> None:
        async with open_app(home=tmp_path / "home", embedder=FakeEmbedder(floor=0.7)) as app:
            await app.add("made", [file])

    asyncio.run(fill())
    return tmp_path / "home"


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> ScriptedChat:
    async def embedder(_: App) -> FakeEmbedder:
        return FakeEmbedder(floor=0.7)

    model = ScriptedChat(lambda messages: f"You said: {messages[-1].text[-40:]}")
    monkeypatch.setattr(App, "embedder", embedder)
    monkeypatch.setattr(App, "chat_model", lambda _: model)
    return model


@pytest.fixture
def talk(home: Path, chat: ScriptedChat) -> Callable[..., Result]:
    del chat

    def run(*lines: str, options: tuple[str, ...] = ()) -> Result:
        arguments = ["chat", "--home", str(home), *options]
        done = CliRunner().invoke(cli, arguments, input="".join(f"{line}\n" for line in lines))
        assert done.exit_code == 0, done.output
        return done

    return run


def test_without_a_knowledge_base_the_model_answers_and_remembers(
    talk: Callable[..., Result], chat: ScriptedChat
) -> None:
    shown = talk("Good morning", "", "What did I say?").output
    assert "You said: Good morning" in shown
    assert [message.text for message in chat.prompts[-1]][-3::2] == [
        "Good morning",
        "What did I say?",
    ]


def test_a_question_to_the_documents_shows_its_sources_and_they_can_be_shown_again(
    talk: Callable[..., Result],
) -> None:
    asked = "/kb How long does the warranty of the kettle last?"
    options = ("--kb", "made", "--no-llm")
    once = talk(asked, options=options).output
    assert WARRANTY in once
    assert "kettle.md" in once
    twice = talk(asked, "/sources", options=options).output
    assert twice.count(WARRANTY) > once.count(WARRANTY)
    assert WARRANTY not in talk("/sources", options=options).output


def test_what_was_cleared_is_not_in_the_next_prompt(
    talk: Callable[..., Result], chat: ScriptedChat
) -> None:
    talk("My name is Ann", "清空对话历史", "Who am I?")
    assert "Ann" not in str(chat.prompts[-1])


def test_a_question_is_asked_anew_or_another_in_its_place(
    talk: Callable[..., Result], chat: ScriptedChat
) -> None:
    talk("first wording", "/retry", "/retry second wording")
    assert [prompt[-1].text for prompt in chat.prompts] == [
        "first wording",
        "first wording",
        "second wording",
    ]
    assert "first wording" not in str(chat.prompts[-1])


def test_a_command_that_there_is_not_is_named_and_asks_nothing(
    talk: Callable[..., Result], chat: ScriptedChat
) -> None:
    shown = talk("/nonsense").output
    assert "There is no command /nonsense" in shown
    assert "/sources" in shown
    assert not chat.prompts


def test_what_goes_wrong_in_one_line_leaves_the_conversation(talk: Callable[..., Result]) -> None:
    shown = talk("/model nothing-of-that-name", "still here?").output
    assert "nothing-of-that-name" in shown
    assert "You said: still here?" in shown


def test_a_conversation_is_written_to_a_file_and_goes_on_another_time(
    talk: Callable[..., Result], chat: ScriptedChat, tmp_path: Path
) -> None:
    file = tmp_path / "talk.json"
    talk("My name is Ann", f"/export {file}", f"/export {tmp_path / 'no' / 'folder.md'}")
    kept = json.loads(file.read_text("utf-8"))
    shown = talk("Who am I?", options=("--continue", kept["id"])).output
    assert "My name is Ann" in shown
    assert "My name is Ann" in str(chat.prompts[-1])


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, home: Path) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        environment = {**os.environ, "WENQU_HOME": str(home), "TERM": "xterm"}
        # Nobody is there to tell where the cursor stands.
        environment |= {"LANG": "C.UTF-8", "PROMPT_TOOLKIT_NO_CPR": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
        )
        os.close(theirs)
        self._shown = ""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, text: str) -> None:
        """Read until ``text`` is shown, and forget all before it."""
        until = time.monotonic() + 120
        while text not in self._shown:
            assert time.monotonic() < until, self._shown
            if select.select([self._ours], [], [], 1)[0]:
                self._shown += os.read(self._ours, 65536).decode("utf-8", "replace")
        self._shown = self._shown.partition(text)[2]

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if sys.platform == "win32":
        pytest.skip("no pseudo-terminals")
    opened = Terminal(tmp_path / "home")
    yield opened
    with suppress(OSError):
        opened.close()


def test_ctrl_c_stops_the_answer_and_ctrl_d_leaves(terminal: Terminal) -> None:
    for question in ("count\r", "again\r"):
        terminal.wait_for("›")
        terminal.type(question)
        terminal.wait_for("three")
        os.killpg(terminal.process.pid, signal.SIGINT)
        terminal.wait_for("Stopped.")
    terminal.wait_for("›")
    terminal.type("\x04")
    assert terminal.process.wait(120) == 0
