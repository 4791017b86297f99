"""Help as a terminal shows it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from wenqu.messages import text


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("ask", "--help"), "cli.option.kb"),
        (("kb", "set", "-h"), "cli.kb.prompt.help"),
        ((), "cli.tune.help"),
    ],
)
def test_chinese_help_is_not_cut_off_in_a_narrow_terminal(
    command: tuple[str, ...], key: str
) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "wenqu", *command],
        env={**os.environ, "WENQU_LANGUAGE": "zh", "COLUMNS": "80"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    ).stdout
    # Lines of a table stand between its borders, and words may be broken.
    whole = "".join("".join(line.strip("│ ").split()) for line in shown.splitlines())
    assert "".join(text(key, "zh").split()) in whole.replace("│", "")
