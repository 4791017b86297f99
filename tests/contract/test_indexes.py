from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wenqu.indexes.local import LocalIndex
from wenqu.testing.contracts_index import IndexContract
from wenqu.testing.samples import DIMENSION

if TYPE_CHECKING:
    from pathlib import Path


class TestLocalIndex(IndexContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "index"

    def open(self) -> LocalIndex:
        return LocalIndex(self.folder, "made:1", DIMENSION)
