"""Help that is shown whole in a narrow terminal, in Chinese too."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wenqu.messages import system_locale

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["show_help_whole"]

_ASKED = frozenset({"--help", "-h"})
_FEW = 3  # a program or a group without a command shows its help too


def show_help_whole() -> None:
    """Let lines of help break inside Chinese text, where that is what this run may show.

    Typer's tables cut a word off that is longer than its column, and Chinese text without a space
    is one word. What it draws help with takes no option for that, only another highlighter.
    """
    if system_locale() != "zh" or (len(sys.argv) >= _FEW and _ASKED.isdisjoint(sys.argv)):
        return
    from typer import rich_utils

    class Folding(rich_utils.OptionHighlighter):
        def highlight(self, text: Text) -> None:
            super().highlight(text)
            text.overflow = "fold"

    rich_utils.highlighter = Folding()
