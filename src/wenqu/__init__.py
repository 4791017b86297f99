"""wenqu 问渠: a self-hosted knowledge-base assistant for Chinese and English.

``wenqu.open_app()`` gives the assistant as an object; the command line, the server and the tests
use the same one. Heavy parts are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wenqu import errors, options, types
    from wenqu.app import AddOptions, App, open_app

__all__ = ["AddOptions", "App", "__version__", "errors", "open_app", "options", "types"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name in {"AddOptions", "App", "open_app"}:
        from wenqu import app

        return getattr(app, name)
    if name in {"errors", "options", "types"}:
        return import_module(f"wenqu.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
