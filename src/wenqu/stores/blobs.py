"""Original files by the SHA-256 of their bytes, in a folder."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wenqu.errors import NotFoundError, StoreError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Blobs"]

_GRACE_S = 3600


class Blobs:
    """A folder of files named by their content; the same content is kept once.

    Args:
        folder: Created when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, sha256: str, file: Path) -> None:
        """Keep a copy of ``file``; does nothing where its content is kept already.

        Raises:
            StoreError: The folder cannot be written.
        """
        target = self._path(sha256)
        if target.exists():
            return
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
            os.close(descriptor)
            shutil.copyfile(file, name)
            Path(name).replace(target)
        except OSError as error:
            raise StoreError("error.store", reason=str(error), url=str(self._folder)) from error

    def get(self, sha256: str) -> bytes:
        """Return the content.

        Raises:
            NotFoundError: It is not kept.
        """
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            raise NotFoundError("error.document_missing", name=sha256) from None

    def keep_only(self, hashes: Collection[str]) -> int:
        """Delete every blob that is not named; return how many were deleted.

        Those of the last hour stay: another process may have kept one for a document that it has
        not committed yet.
        """
        wanted = set(hashes)
        recent = time.time() - _GRACE_S
        gone = 0
        for path in self._folder.glob("??/*"):
            if path.name not in wanted and path.stat().st_mtime < recent:
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256
