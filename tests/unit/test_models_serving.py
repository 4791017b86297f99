from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from wenqu.choices import Backend
from wenqu.errors import InputError, ModelMissingError
from wenqu.models import llama_server, memory, serving
from wenqu.models.serving import ServeOptions, launch
from wenqu.testing.gguf import SMALL

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with a program for each backend; no other program is found."""
    for name in ("vllm", "ollama", "transformers"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n", "ascii")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "elsewhere" / "python"))
    return tmp_path


def test_vllm_is_told_context_slots_gpus_and_quantisation(programs: Path) -> None:
    wanted = ServeOptions(
        model="org/model", name="m", parallel=32, context=8192, gpus=2, bits=8, api_key="sk-secret"
    )
    planned = launch(Backend.VLLM, wanted)
    assert planned.command == (
        str(programs / "vllm"),
        *("serve", "org/model", "--served-model-name", "m"),
        *("--host", "127.0.0.1", "--port", "8080", "--dtype", "auto"),
        *("--max-model-len", "8192", "--max-num-seqs", "32"),
        *("--tensor-parallel-size", "2", "--enable-prefix-caching", "--quantization", "fp8"),
    )
    assert planned.environment == {"VLLM_API_KEY": "sk-secret"}
    assert planned.url == "http://127.0.0.1:8080/v1"


def test_ollama_is_told_by_its_environment_and_fetches_the_model(programs: Path) -> None:
    wanted = ServeOptions(model="qwen2.5:7b", name="m", host="::1", port=11434, parallel=8)
    planned = launch(Backend.OLLAMA, wanted)
    assert planned.command == (str(programs / "ollama"), "serve")
    assert planned.after == ((str(programs / "ollama"), "pull", "qwen2.5:7b"),)
    assert planned.environment == {
        "OLLAMA_HOST": "[::1]:11434",
        "OLLAMA_NUM_PARALLEL": "8",
        "OLLAMA_CONTEXT_LENGTH": "4096",
        "OLLAMA_KEEP_ALIVE": "-1",
    }
    assert planned.url == "http://[::1]:11434/v1"


def test_transformers_batches_continuously_on_a_gpu_and_quantises(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        "--continuous-batching"
        not in launch(Backend.TRANSFORMERS, ServeOptions(model="m", name="m")).command
    )
    monkeypatch.setattr(serving, "_has_gpu", lambda: True)
    wanted = ServeOptions(model="org/model", name="m", bits=4, dtype="bfloat16")
    command = launch(Backend.TRANSFORMERS, wanted).command
    assert command[:3] == (str(programs / "transformers"), "serve", "org/model")
    assert "--continuous-batching" in command
    assert command[command.index("--quantization") + 1] == "bnb-4bit"
    assert command[command.index("--dtype") + 1] == "bfloat16"


def test_llamacpp_shares_its_context_and_keeps_the_key_off_its_command_line(tmp_path: Path) -> None:
    file = SMALL.at(tmp_path / "m.gguf")
    wanted = ServeOptions(model=str(file), name="m", parallel=3, threads=2, api_key="sk-secret")
    planned = launch(Backend.LLAMACPP, wanted)
    assert planned.command[planned.command.index("--parallel") + 1] == "3"
    assert "sk-secret" not in " ".join(planned.command)
    assert "sk-secret" not in f"{wanted!r} {planned!r}"
    assert planned.environment["LLAMA_SERVER_KEY"] == "sk-secret"


@pytest.mark.parametrize("backend", [Backend.VLLM, Backend.OLLAMA, Backend.TRANSFORMERS])
def test_a_backend_that_is_not_here_says_how_to_install_it(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ModelMissingError) as refused:
        launch(backend, ServeOptions(model="m", name="m"))
    assert backend.value in refused.value.message("zh")
    assert {"vllm": "pip install", "ollama": "ollama.com", "transformers": "pip install"}[
        backend.value
    ] in str(refused.value.hint("en"))


def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = SMALL.at(tmp_path / "m.gguf")
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.raises(InputError) as refused:
        launch(Backend.LLAMACPP, ServeOptions(model=str(file), name="big"))
    assert refused.value.key == "error.serve_memory"


@pytest.mark.parametrize(
    ("backend", "asked", "key"),
    [
        (Backend.LLAMACPP, {"bits": 4}, "error.serve_gguf_bits"),
        (Backend.LLAMACPP, {"gpus": 2}, "error.serve_gguf_bits"),
        (Backend.VLLM, {"bits": 5}, "error.serve_bits"),
        (Backend.TRANSFORMERS, {"bits": 3}, "error.serve_bits"),
        (Backend.TRANSFORMERS, {"gpus": 2}, "error.serve_no_gpus"),
        (Backend.TRANSFORMERS, {"api_key": "k"}, "error.serve_no_key"),
        (Backend.OLLAMA, {"api_key": "k"}, "error.serve_no_key"),
        (Backend.OLLAMA, {"bits": 4}, "error.serve_ollama_bits"),
    ],
)
def test_what_a_backend_cannot_do_is_told_with_a_hint(
    programs: Path, backend: Backend, asked: dict[str, object], key: str
) -> None:
    file = programs / "m.gguf"
    file.write_bytes(b"GGUF")
    wanted = ServeOptions(model=str(file), name="m", **asked)  # type: ignore[arg-type]
    with pytest.raises(InputError) as refused:
        launch(backend, wanted)
    assert refused.value.key == key
    assert refused.value.hint("zh")


def test_a_gguf_file_runs_on_the_engine_that_is_wanted_or_was_found_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def engine(wanted: ServeOptions) -> str:
        command = launch(Backend.LLAMACPP, wanted).command
        return command[command.index("--engine") + 1]

    wanted = ServeOptions(model=str(SMALL.at(tmp_path / "m.gguf")), name="m")
    assert engine(wanted) == "llama.cpp"
    monkeypatch.setattr("wenqu.models.llama_engine.chosen", lambda _: "ik_llama.cpp")
    assert engine(wanted) == "ik_llama.cpp"
    assert engine(replace(wanted, engine="llama.cpp")) == "llama.cpp"


def test_an_engine_that_cannot_run_here_says_why_and_leaves_the_file_to_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "99")
    given = Namespace(model=tmp_path / "m.gguf", context=64, parallel=2, threads=1)
    assert llama_server.fast_model(given) is None
    assert "ik_llama.cpp: " in capsys.readouterr().err
