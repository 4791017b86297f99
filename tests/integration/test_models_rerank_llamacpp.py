"""Reranking by llama.cpp: a tiny cross-encoder that is written here, in the child that users get.

Its words have vectors of their own, attention looks at everything alike, and its one output counts
what the words are worth: 1 for each that the question of the suite has.
"""

from __future__ import annotations

import asyncio
import os
import signal
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from wenqu.errors import ModelError, ModelMissingError
from wenqu.models.rerank_llamacpp import LlamaCppReranker
from wenqu.testing.contracts_rerank import RerankerContract, hits_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

pytestmark = pytest.mark.slow

WORTH = ("how", "many", "days", "of", "leave", *"年假几天")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
VOCABULARY = (*SPECIAL, *(f"▁{word}" for word in (*WORTH, "taxis", "receipt", "need", "a")))
HIDDEN, INNER = 32, 64
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
FORMATS = {UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def scalar(kind: int, value: Any) -> bytes:
    return text(value) if kind == STRING else struct.pack(FORMATS[kind], value)


def entry(key: str, kind: int, value: Any) -> bytes:
    head = text(key)
    if isinstance(value, list):
        items = b"".join(scalar(kind, one) for one in value)
        return head + struct.pack("<IIQ", ARRAY, kind, len(value)) + items
    return head + struct.pack("<I", kind) + scalar(kind, value)


def weights(outputs: int) -> dict[str, np.ndarray]:
    ones, nothing = np.ones(HIDDEN), np.zeros(HIDDEN)
    square = np.zeros((HIDDEN, HIDDEN))
    # Each word in a dimension of its own; attention takes the mean, which the output weighs.
    words = np.zeros((len(VOCABULARY), HIDDEN))
    words[np.arange(len(VOCABULARY)), np.arange(len(VOCABULARY))] = 4
    worth = np.zeros(HIDDEN)
    worth[len(SPECIAL) : len(SPECIAL) + len(WORTH)] = 1
    layer = {
        **{f"attn_{one}.weight": square for one in "qk"},
        **{f"attn_{one}.bias": nothing for one in "qkv"},
        "attn_v.weight": np.eye(HIDDEN),
        "attn_output.weight": 8 * np.eye(HIDDEN),
        "attn_output.bias": nothing,
        "ffn_up.weight": np.zeros((INNER, HIDDEN)),
        "ffn_up.bias": np.zeros(INNER),
        "ffn_down.weight": np.zeros((HIDDEN, INNER)),
        "ffn_down.bias": nothing,
        **{f"{one}_norm.weight": ones for one in ("attn_output", "layer_output")},
        **{f"{one}_norm.bias": nothing for one in ("attn_output", "layer_output")},
    }
    head = {"cls.output.weight": worth[None], "cls.output.bias": np.zeros(1)} if outputs else {}
    return {
        "token_embd.weight": words,
        "token_types.weight": np.zeros((2, HIDDEN)),
        "position_embd.weight": np.zeros((512, HIDDEN)),
        "token_embd_norm.weight": ones,
        "token_embd_norm.bias": nothing,
        **{f"blk.0.{name}": value for name, value in layer.items()},
        **head,
    }


def write_model(path: Path, *, outputs: int = 1) -> None:
    """Write a BERT of one layer with a ranking head, as GGUF (version 3)."""
    numbers = {
        "unknown": "[UNK]",
        "seperator": "[SEP]",
        "padding": "[PAD]",
        "cls": "[CLS]",
        "bos": "[CLS]",
        "eos": "[SEP]",
    }
    kinds = [3, 2, 3, 3] + [1] * (len(VOCABULARY) - len(SPECIAL))
    meta = [
        entry("general.architecture", STRING, "bert"),
        entry("bert.block_count", UINT32, 1),
        entry("bert.context_length", UINT32, 512),
        entry("bert.embedding_length", UINT32, HIDDEN),
        entry("bert.feed_forward_length", UINT32, INNER),
        entry("bert.attention.head_count", UINT32, 2),
        entry("bert.attention.layer_norm_epsilon", FLOAT32, 1e-12),
        entry("bert.attention.causal", BOOL, False),  # noqa: FBT003  # a value of the file
        entry("bert.pooling_type", UINT32, 4),
        entry("tokenizer.ggml.model", STRING, "bert"),
        entry("tokenizer.ggml.token_type_count", UINT32, 2),
        entry("tokenizer.ggml.tokens", STRING, list(VOCABULARY)),
        entry("tokenizer.ggml.token_type", INT32, kinds),
        entry("tokenizer.ggml.scores", FLOAT32, [0.0] * len(VOCABULARY)),
        *(
            entry(f"tokenizer.ggml.{name}_token_id", UINT32, VOCABULARY.index(token))
            for name, token in numbers.items()
        ),
    ]
    described, data = b"", b""
    tensors = weights(outputs)
    for name, tensor in tensors.items():
        shape = b"".join(struct.pack("<Q", size) for size in reversed(tensor.shape))
        described += text(name) + struct.pack("<I", tensor.ndim) + shape
        described += struct.pack("<IQ", 0, len(data))
        data += tensor.astype("<f4").tobytes()
        data += bytes(-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(meta)) + b"".join(meta) + described
    path.write_bytes(head + bytes(-len(head) % 32) + data)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny-reranker.gguf"
    write_model(path)
    return path


class TestLlamaCppReranker(RerankerContract):
    @pytest.fixture(autouse=True)
    def _model(self, model: Path) -> None:
        self.path = model

    @asynccontextmanager
    async def reranker(self) -> AsyncGenerator[LlamaCppReranker]:
        reranker = LlamaCppReranker(self.path, threads=1)
        yield reranker
        await reranker.close()

    @asynccontextmanager
    async def failing_reranker(self) -> AsyncGenerator[LlamaCppReranker]:
        yield LlamaCppReranker(self.path.with_name("nowhere.gguf"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError) as caught:
        asyncio.run(LlamaCppReranker(tmp_path / "x.gguf").load())
    assert "x.gguf" in caught.value.message("zh")


def test_what_is_no_model_is_refused_with_llama_cpps_own_words(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF, but no more than that")
    with pytest.raises(ModelError) as caught:
        asyncio.run(LlamaCppReranker(path).load())
    assert caught.value.key == "error.reranker_broken"
    assert "exit" not in caught.value.message("en")


def test_a_child_that_was_killed_is_started_anew_at_the_next_question(model: Path) -> None:
    async def work() -> None:
        reranker = LlamaCppReranker(model, threads=1)
        try:
            before = await reranker.rerank("days", hits_of("taxis", "days of leave"))
            assert reranker._running is not None
            child, _ = reranker._running  # whom else to kill
            os.kill(child.process.pid, signal.SIGKILL)
            await child.process.wait()
            assert await reranker.rerank("days", hits_of("taxis", "days of leave")) == before
        finally:
            await reranker.close()

    asyncio.run(work())


def test_nothing_of_it_is_left_when_it_is_closed(model: Path) -> None:
    async def work() -> None:
        reranker = LlamaCppReranker(model, threads=1)
        await reranker.load()
        assert reranker._running is not None
        child, _ = reranker._running  # whose folder is looked for
        folder = child._folder
        assert folder.exists()
        await reranker.close()
        assert not folder.exists()
        with pytest.raises(ProcessLookupError):
            os.kill(child.process.pid, 0)

    asyncio.run(work())
