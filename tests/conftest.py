"""What many tests need: the data sets beside the repository, and the models on this machine."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import uvicorn

    from wenqu.testing.chat import ScriptedChat

    Serving = Callable[..., AbstractContextManager[str]]

# A busy machine is no failure, and no run has other examples than the last: what is found by luck
# is found with `--hypothesis-profile=search`, and then has a test of its own.
SLOW = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("search", deadline=None, suppress_health_check=SLOW)
hypothesis.settings.register_profile(
    "wenqu", deadline=None, suppress_health_check=SLOW, derandomize=True
)
hypothesis.settings.load_profile("wenqu")

# So that a failing assertion in a public contract suite shows its values.
pytest.register_assert_rewrite("wenqu.testing")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the developer's own settings, language and knowledge bases out of the tests.

    WENQU_TEST_* go too, for wenqu refuses variables that it does not know; the fixtures below live
    as long as the session and have read theirs before.
    """
    for name in [name for name in os.environ if name.startswith("WENQU_")]:
        monkeypatch.delenv(name)
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WENQU_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public data sets: WENQU_TEST_DATA, or the folder beside the repository."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("WENQU_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip("the public data sets are not here: set WENQU_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The folder of real models, with the default embedder in it, fetched where it is missing.

    ``make test`` fetches the models first; a test that needs the chat model skips without it.
    """
    from wenqu.models.catalog import find
    from wenqu.models.fetch import located, pull

    base = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    folder = Path(os.environ.get("WENQU_TEST_MODELS", base / "wenqu" / "models"))
    entry = find("multilingual-e5-small")
    if located(entry, folder) is None:
        pull(entry, folder, lambda *_: None)
    return folder


@pytest.fixture(scope="session")
def ocr_weights(models_dir: Path) -> Path:
    """The weights for text recognition, fetched where they are missing."""
    from wenqu.app import OCR_MODEL
    from wenqu.models.catalog import find
    from wenqu.models.fetch import pull

    return pull(find(OCR_MODEL), models_dir)


@pytest.fixture(scope="session")
def serving() -> Serving:
    """A context manager that serves a home folder in a thread and gives the server's URL.

    The server is the real one; its embedder is the fake, which needs no model.
    """
    return _serving


@contextmanager
def _serving(
    home: Path,
    chat: ScriptedChat | None,
    kb: str | None = None,
    settings: dict[str, Any] | None = None,
) -> Iterator[str]:
    import uvicorn

    from wenqu.app import open_app
    from wenqu.http.server import build
    from wenqu.settings import Settings
    from wenqu.testing.embedder import FakeEmbedder

    loop = asyncio.new_event_loop()
    started = threading.Event()
    servers: list[uvicorn.Server] = []
    listening = socket.create_server(("127.0.0.1", 0))

    async def run() -> None:
        embedder = FakeEmbedder(floor=0.75)
        given = Settings(home=home, **(settings or {}))
        async with open_app(given, embedder=embedder, chat=chat) as app:
            config = uvicorn.Config(build(app, kb=kb), log_level="error", lifespan="on")
            servers.append(uvicorn.Server(config))
            started.set()
            await servers[0].serve(sockets=[listening])

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert started.wait(120)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        servers[0].should_exit = True
        thread.join(120)
        listening.close()
        loop.close()
