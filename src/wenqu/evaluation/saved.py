"""Saved runs: one JSON file each, in a folder, found again by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from wenqu.errors import ConflictError, InputError, NotFoundError
from wenqu.evaluation.record import EvalRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SavedRuns"]

_ENDING = ".json"
_LAST = "last"  # means the run that was saved last, where none has that name
_ODD = re.compile(r"[^\w.@-]+")
_LONGEST_NAME = 120


def _new_name(record: EvalRecord) -> str:
    """Return the name of a run that was given none: its data set and the time."""
    return _tidy(f"{record.dataset}-{record.date:%Y%m%d-%H%M%S}")


class SavedRuns:
    """The runs in a folder, which is made when the first one is saved.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, record: EvalRecord, *, replace: bool = False) -> EvalRecord:
        """Keep a run under its name, or under one made for it; return it with that name.

        Raises:
            ConflictError: There is one of that name, and it is not to be replaced.
            InputError: It cannot be written.
        """
        name = _tidy(record.name) if record.name else self._free(_new_name(record))
        kept = record.model_copy(update={"name": name})
        path = self._path(name)
        if record.name and path.exists() and not replace:
            raise ConflictError("error.run_exists", name=name)
        # Beside it first: a run that is cut off while it is written replaces none.
        draft = path.with_name(path.name + ".part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft.write_text(kept.model_dump_json(), "utf-8")
            draft.replace(path)
        except OSError as error:
            raise InputError("error.cannot_write", path=path, reason=error.strerror) from error
        return kept

    def load(self, name: str) -> EvalRecord:
        """Return the run of that name, of a name that begins so, in that file, or saved ``last``.

        Raises:
            NotFoundError: There is none, or more than one name begins so.
            InputError: The file holds no run.
        """
        path = self._find(name)
        try:
            return EvalRecord.model_validate_json(path.read_bytes())
        except (ValidationError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise InputError("error.run_unreadable", file=path.name, reason=reason) from error

    def names(self) -> list[str]:
        """Return the names of all runs, in the order in which they were saved."""
        if not self.folder.is_dir():
            return []
        paths = [path for path in self.folder.iterdir() if path.suffix == _ENDING]
        return [path.stem for path in sorted(paths, key=lambda path: (path.stat().st_mtime, path))]

    def all(self) -> Sequence[EvalRecord]:
        """Return all runs that can be read, in the order in which they were saved."""
        found = []
        for name in self.names():
            try:
                found.append(self.load(name))
            except InputError:
                continue
        return found

    def _find(self, name: str) -> Path:
        exact = self._path(_tidy(name))
        if exact.is_file():
            return exact
        if name.endswith(_ENDING) and Path(name).is_file():
            return Path(name)
        names = self.names()
        if name == _LAST and names:
            return self._path(names[-1])
        begin = [one for one in names if one.startswith(name)]
        if len(begin) != 1:
            raise NotFoundError("error.run_missing", name=name, known=", ".join(begin[:9]) or "–")
        return self._path(begin[0])

    def _free(self, name: str) -> str:
        """Return ``name``, or with a number behind it that makes it new."""
        taken = set(self.names())
        number = 2
        free = name
        while free in taken:
            free = f"{name}-{number}"
            number += 1
        return free

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{_ENDING}"


def _tidy(name: str) -> str:
    """Return ``name`` as a file may be called."""
    return _ODD.sub("-", name).strip(".-")[:_LONGEST_NAME] or "run"
