from __future__ import annotations

from typing import TYPE_CHECKING

from typer.testing import CliRunner

from wenqu.cli.main import app as cli
from wenqu.cli.session import Exit

if TYPE_CHECKING:
    from pathlib import Path


def test_a_knowledge_base_that_there_is_not_is_told_before_anything_is_served(
    tmp_path: Path,
) -> None:
    done = CliRunner().invoke(cli, ["--home", str(tmp_path), "serve", "--kb", "absent"])
    assert done.exit_code == Exit.UNUSABLE
    assert "There is no knowledge base named absent." in done.stderr
