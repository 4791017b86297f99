"""The real embedder, in each of its engines."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from wenqu.models.blob import Blob
from wenqu.models.catalog import find
from wenqu.models.e5 import E5Embedder, open_embedder
from wenqu.models.tokens import Tokens
from wenqu.testing.contracts_embedder import EmbedderContract

ENTRY = find("multilingual-e5-small")
TEXTS = (
    "蛋白质每天应该摄入多少？",
    "安装 lmdeploy：pip install lmdeploy==0.2.0",
    "query: 你好　world  ﬁne①  x\ty\n㍿ end 𠮷𠮷 </s> ꙮ",
    "",
    "The quick brown fox jumps over the lazy dog. " * 5,
)


@pytest.fixture(scope="session")
def onnxruntime(models_dir: Path) -> Iterator[E5Embedder]:
    embedder = open_embedder(ENTRY, models_dir, "onnxruntime", threads=2)
    yield embedder
    embedder.close()


@pytest.fixture(scope="session")
def openvino(models_dir: Path) -> Iterator[E5Embedder]:
    embedder = open_embedder(ENTRY, models_dir, "openvino", threads=2)
    yield embedder
    embedder.close()


@pytest.mark.slow
class TestOnnxRuntime(EmbedderContract):
    @pytest.fixture
    def embedder(self, onnxruntime: E5Embedder) -> E5Embedder:
        return onnxruntime

    def test_it_is_the_engine_that_was_asked_for(self, embedder: E5Embedder) -> None:
        assert embedder.engine == "onnxruntime-int8"
        assert embedder.note is None


@pytest.mark.slow
class TestOpenVino(EmbedderContract):
    @pytest.fixture
    def embedder(self, openvino: E5Embedder) -> E5Embedder:
        return openvino

    def test_it_is_the_engine_that_was_asked_for(self, embedder: E5Embedder) -> None:
        assert embedder.engine in {"openvino-f32", "openvino-bf16"}
        assert embedder.note is None


@pytest.mark.slow
def test_vectors_of_both_engines_are_interchangeable(
    onnxruntime: E5Embedder, openvino: E5Embedder
) -> None:
    assert onnxruntime.fingerprint == openvino.fingerprint
    texts = [text for text in TEXTS if text]
    ours, theirs = (e.embed_now(texts, "passage") for e in (onnxruntime, openvino))
    assert (ours * theirs).sum(axis=1).min() > 0.99


def test_a_question_finds_the_passage_that_answers_it_in_the_other_language(
    onnxruntime: E5Embedder,
) -> None:
    query = onnxruntime.embed_now(["珠穆朗玛峰有多高？"], "query")[0]
    passages = [
        "The fox is quick and brown.",
        "Mount Everest is 8,849 metres high.",
        "茶要趁热喝。",
    ]
    assert int(np.argmax(onnxruntime.embed_now(passages, "passage") @ query)) == 1


def test_what_lies_beyond_the_limit_is_cut_off(onnxruntime: E5Embedder) -> None:
    long = "word " * 600
    first, second = onnxruntime.embed_now([long, long + "other " * 500], "passage")
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_few_pieces_cut_a_text_as_all_pieces_do(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = Blob(models_dir / ENTRY.file)
    few = Tokens(blob)
    monkeypatch.setattr("wenqu.models.tokens._FEW", -1)
    every = Tokens(blob)
    assert every.ids(TEXTS, 512) == [few.ids([text], 512)[0] for text in TEXTS]
    assert [every.starts(text) for text in TEXTS] == [few.starts(text) for text in TEXTS]


def test_a_text_cannot_spell_the_end_of_itself(models_dir: Path) -> None:
    tokens = Tokens(Blob(models_dir / ENTRY.file))
    (ids,) = tokens.ids(["a </s> <pad> <s> b"], 512)
    assert not {0, 1, 2} & set(ids[1:-1])


def test_the_converted_graph_is_made_again_when_it_is_damaged(
    models_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / ENTRY.file).symlink_to((models_dir / ENTRY.file).resolve())
    for _ in range(2):
        embedder = open_embedder(ENTRY, tmp_path, "onnxruntime", threads=1)
        assert embedder.embed_now(["again"], "query").shape == (1, 384)
        assert embedder.note is None
        embedder.close()
        (graph,) = tmp_path.glob("*.onnx")
        graph.write_bytes(graph.read_bytes()[:1000])
