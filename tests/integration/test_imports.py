"""What start-up must not load: each of these costs more than wenqu's whole budget."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "alembic",
    "faiss",
    "httpx",
    "huggingface_hub",
    "ir_measures",
    "numpy",
    "onnx",
    "onnxruntime",
    "opencc",
    "openvino",
    "pydantic",
    "pydantic_settings",
    "pypdfium2",
    "rich.console",
    "rich.progress",
    "rjieba",
    "selectolax",
    "sqlalchemy",
    "starlette",
    "tantivy",
    "tokenizers",
    "uvicorn",
    "xllamacpp",
}


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import wenqu", HEAVY | {"typer", "rich", "asyncio", "wenqu.types"}),
        ("import wenqu.types, wenqu.errors, wenqu.protocols", HEAVY | {"typer", "rich", "asyncio"}),
        ("import wenqu.testing", HEAVY | {"pytest", "typer", "rich"}),
        ("import wenqu.cli.main", HEAVY),
        # The settings are made of pydantic.
        ("from wenqu import App", (HEAVY | {"typer", "rich"}) - {"pydantic", "pydantic_settings"}),
    ],
)
def test_importing_loads_nothing_heavy(code: str, unwanted: set[str]) -> None:
    loaded = loaded_by(code)
    assert "wenqu" in loaded
    assert loaded & unwanted == set()


def test_help_loads_nothing_heavy() -> None:
    code = """
import sys
sys.argv = ["wenqu", "--help"]
from wenqu.cli.main import run
try:
    run()
except SystemExit as end:
    assert not end.code
"""
    unwanted = HEAVY | {"rich", "wenqu.types", "wenqu.models"}
    loaded = loaded_by(code)
    assert loaded & unwanted == set()
    # No command's module: what help says of them all is in one small file.
    commands = {name for name in loaded if name.startswith("wenqu.cli.")}
    assert commands == {f"wenqu.cli.{name}" for name in ("main", "deferred", "helping", "session")}


@pytest.mark.parametrize(
    ("words", "module"), [(["ask"], "ask"), (["kb", "set"], "kb"), (["add"], "add")]
)
def test_help_of_a_command_loads_its_module_and_nothing_heavy(
    words: list[str], module: str
) -> None:
    code = f"""
import sys
sys.argv = ["wenqu", *{words}, "--help"]
from wenqu.cli.main import run
try:
    run()
except SystemExit as end:
    assert not end.code
"""
    loaded = loaded_by(code)
    assert loaded & HEAVY == set()
    others = {"ask", "kb", "add", "search", "gate", "models"} - {module}
    assert f"wenqu.cli.{module}" in loaded
    assert loaded & {f"wenqu.cli.{name}" for name in others} == set()


def test_the_parts_of_the_package_are_there_without_being_imported_first() -> None:
    code = "import wenqu; assert wenqu.types.Query(text='a') and wenqu.errors and wenqu.options"
    assert "wenqu.types" in loaded_by(code)


def test_listing_knowledge_bases_opens_no_model() -> None:
    code = """
import sys
sys.argv = ["wenqu", "kb", "list", "--json"]
from wenqu.cli.main import run
try:
    run()
except SystemExit as end:
    assert not end.code
"""
    models = {"faiss", "onnxruntime", "openvino", "tantivy", "tokenizers", "xllamacpp", "uvicorn"}
    assert loaded_by(code) & models == set()
