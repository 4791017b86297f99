"""Reranking by a graph: tiny cross-encoders that are written here and run by ONNX Runtime.

Their one weight says how alike two tokens are: 1 where they are the same and mean something. A
score is the share of the question's tokens that the text has, too small to be learned and large
enough to be told from another.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from wenqu.errors import ModelError, ModelMissingError
from wenqu.models import rerank_onnx
from wenqu.models.rerank_onnx import OnnxReranker, located
from wenqu.testing.contracts_rerank import RerankerContract, hits_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
WORDS = (
    *("how", "many", "days", "of", "leave", "receipt", "for", "taxis", "need", "a"),
    *"年假几天病",
)
QUESTION = "how many days of leave 年假几天"


def write_tokenizer(folder: Path) -> None:
    vocabulary = {word: number for number, word in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))


def write_graph(
    path: Path, *, outputs: int = 1, kind: int = TensorProto.INT64, types: bool = True
) -> None:
    """Write a graph: the mean over text tokens, and over question tokens, of equal meaning."""
    meaning = np.eye(len(SPECIAL) + len(WORDS), dtype=np.float32)
    meaning[: len(SPECIAL)] = 0
    node = helper.make_node
    # Tokens of each side, as one vector of which are there; their product counts what is shared.
    nodes = [
        node("Cast", ["input_ids"], ["ids"], to=TensorProto.INT64),
        node("Gather", ["meaning", "ids"], ["vectors"]),
        node("Cast", ["token_type_ids" if types else "sides"], ["second"], to=TensorProto.FLOAT),
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("Mul", ["second", "mask"], ["in_text"]),
        node("Sub", ["mask", "in_text"], ["in_question"]),
    ]
    for side in ("text", "question"):
        nodes += [
            node("Unsqueeze", [f"in_{side}", "last"], [f"of_{side}"]),
            node("Mul", ["vectors", f"of_{side}"], [f"{side}_vectors"]),
            node("ReduceMax", [f"{side}_vectors", "first"], [side], keepdims=0),
        ]
    nodes += [
        node("Mul", ["text", "question"], ["shared"]),
        node("ReduceSum", ["shared", "first"], ["score"], keepdims=1),
    ]
    if outputs == 1:
        nodes.append(node("Identity", ["score"], ["logits"]))
    else:
        nodes += [
            node("Neg", ["score"], ["against"]),
            node("Concat", ["against", *["score"] * (outputs - 1)], ["logits"], axis=1),
        ]
    constants = {"meaning": meaning, "last": np.array([-1]), "first": np.array([1])}
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    if not types:
        # The text begins behind the first [SEP].
        inputs.pop()
        nodes[2:2] = [
            node("Equal", ["ids", "separator"], ["ends"]),
            node("Cast", ["ends"], ["end"], to=TensorProto.INT64),
            node("CumSum", ["end", "axis"], ["passed"], exclusive=1),
            node("Greater", ["passed", "none"], ["sides"]),
        ]
        constants |= {"separator": np.array(2), "axis": np.array(1), "none": np.array(0)}
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info(name, kind, ["n", "length"]) for name in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=9), str(path))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-reranker")
    write_tokenizer(folder)
    write_graph(folder / "model.onnx")
    return folder


class TestOnnxReranker(RerankerContract):
    @pytest.fixture(autouse=True)
    def _model(self, model: Path) -> None:
        self.path = model

    @asynccontextmanager
    async def reranker(self) -> AsyncGenerator[OnnxReranker]:
        reranker = OnnxReranker(self.path, threads=1)
        yield reranker
        await reranker.close()

    @asynccontextmanager
    async def failing_reranker(self) -> AsyncGenerator[OnnxReranker]:
        yield OnnxReranker(self.path / "nowhere")


def scores(path: Path, *texts: str, **given: Any) -> list[float]:
    return list(asyncio.run(OnnxReranker(path, **given).rerank(QUESTION, hits_of(*texts))))


TEXTS = ("taxis", "days of leave", "年假", "how many days of leave 年假几天", "a receipt" * 90)
SHARED = [0, 3, 2, 9, 0]


def test_scores_are_what_the_graph_computes_whatever_runs_together(model: Path) -> None:
    assert scores(model, *TEXTS) == SHARED
    assert scores(model, *TEXTS * 5) == SHARED * 5


def test_of_two_outputs_the_second_counts_against_the_first(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    write_graph(tmp_path / "model.onnx", outputs=2)
    assert scores(tmp_path, *TEXTS) == [2 * shared for shared in SHARED]


def test_a_graph_may_take_short_integers_and_no_token_types(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    write_graph(tmp_path / "model_quantized.onnx", kind=TensorProto.INT32, types=False)
    assert scores(tmp_path, *TEXTS) == SHARED


def test_a_text_that_is_too_long_is_cut_off_and_the_question_is_not(model: Path) -> None:
    text = "taxis " * 300 + "days"
    assert scores(model, text) == [1]
    assert scores(model, text, max_tokens=100) == [0]
    assert scores(model, "days " + text, max_tokens=24) == [1]


def test_a_model_is_a_folder_or_a_file_and_its_tokenizer_may_lie_above(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    write_tokenizer(tmp_path)
    write_graph(tmp_path / "onnx" / "model.onnx")
    graph = tmp_path / "onnx" / "model.onnx"
    expected = (graph, tmp_path / "tokenizer.json")
    assert located(tmp_path) == expected
    assert located(graph) == expected
    assert OnnxReranker(graph).name == "model"
    assert OnnxReranker(tmp_path).name == tmp_path.name


def test_a_model_that_is_not_there_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError) as caught:
        located(tmp_path)
    assert "model.onnx" in caught.value.message("en")
    write_graph(tmp_path / "model.onnx")
    with pytest.raises(ModelMissingError) as caught:
        located(tmp_path)
    assert "tokenizer.json" in caught.value.message("zh")


def broken(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        asyncio.run(OnnxReranker(path).rerank(QUESTION, hits_of("taxis")))
    assert caught.value.key == "error.reranker_broken"
    return caught.value.message("en")


def test_what_is_no_cross_encoder_is_refused(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    broken(tmp_path)
    write_graph(tmp_path / "model.onnx", outputs=3)
    assert "3 numbers" in broken(tmp_path)
    for text in ("{}", "no json"):
        (tmp_path / "tokenizer.json").write_text(text)
        broken(tmp_path)


def test_who_waits_no_more_stops_the_work_at_the_next_batch(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []
    begun, given_up = threading.Event(), threading.Event()
    real = rerank_onnx._Graph._run

    def watched(graph: rerank_onnx._Graph, pairs: Any) -> Any:
        ran.append(len(pairs))
        begun.set()
        assert given_up.wait(60)
        return real(graph, pairs)

    async def work() -> None:
        reranker = OnnxReranker(model, threads=1)
        await reranker.load()
        task = asyncio.create_task(reranker.rerank(QUESTION, hits_of(*["taxis " * 400] * 300)))
        assert await asyncio.to_thread(begun.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        given_up.set()
        # The default executor waits for its threads: what goes on would be waited for here.
        await asyncio.get_running_loop().shutdown_default_executor()

    monkeypatch.setattr(rerank_onnx._Graph, "_run", watched)
    asyncio.run(work())
    assert len(ran) == 1
