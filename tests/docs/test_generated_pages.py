"""Pages that follow from the code are what the code would write now."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "generate.py"


@pytest.fixture(scope="module")
def generate() -> Iterator[ModuleType]:
    specification = importlib.util.spec_from_file_location("generate_docs", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # its dataclasses look themselves up there
    specification.loader.exec_module(module)
    yield module
    del sys.modules[specification.name]


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_generated_pages_are_fresh(generate: ModuleType, locale: str) -> None:
    for name, page in generate.pages(locale).items():
        stored = generate.PAGES[name, locale].read_text("utf-8")
        assert stored == page, "stale: run `python docs/generate.py`"


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_the_page_of_commands_has_every_command_and_option(
    generate: ModuleType, locale: str
) -> None:
    page = generate.PAGES["cli", locale].read_text("utf-8")
    for name in ("add", "ask", "search", "eval", "serve", "doctor", "kb delete", "doc show"):
        assert f"## wenqu {name}\n" in page
    for option in ("--prune", "--llm/--no-llm", "--top", "--json", "--home", "--kb"):
        assert f"`{option}`" in page
