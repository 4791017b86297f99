"""Loading and checking evaluation sets."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import InputError, NotFoundError, WenquError
from wenqu.evaluation.datasets import Dataset, EvalQuery, load_dataset, sampled, without
from wenqu.types import Document, document_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CORPUS = [
    {"id": "d1", "title": "水", "text": "水的沸点是一百摄氏度。"},
    {"id": "d2", "title": "Iron", "text": "Iron melts at 1538 degrees."},
]
QUERIES = [
    {"id": "q1", "text": "水在多少度沸腾？"},
    {"id": "q2", "text": "Who won the cup?", "answerable": False},
    {"id": "q3", "text": "When does iron melt?"},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\nq3\td1\t0\n"


def _jsonl(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def _write(**replaced: str) -> Path:
        files = {
            "corpus.jsonl": _jsonl(CORPUS),
            "queries.jsonl": _jsonl(QUERIES),
            "qrels.tsv": QRELS,
        }
        files |= {name.replace("_", "."): text for name, text in replaced.items()}
        folder = tmp_path / "tiny"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
        return folder

    return _write


def test_documents_have_ids_that_come_from_their_ids_in_the_corpus(
    write: Callable[..., Path],
) -> None:
    dataset = load_dataset(write())
    assert dataset.name == "tiny"
    assert [document.source for document in dataset.documents] == ["d1", "d2"]
    assert [document.id for document in dataset.documents] == [document_id("d1"), document_id("d2")]
    assert [document.language for document in dataset.documents] == ["zh", "en"]
    assert dataset.qrels["q1"] == {document_id("d1"): 1}


def test_only_answerable_queries_with_a_relevant_document_are_judged(
    write: Callable[..., Path],
) -> None:
    assert [query.id for query in load_dataset(write()).judged] == ["q1"]


def test_an_entry_without_text_is_found_by_its_title(write: Callable[..., Path]) -> None:
    corpus = [{"id": "d1", "title": "只有标题", "text": ""}, CORPUS[1]]
    assert load_dataset(write(corpus_jsonl=_jsonl(corpus))).documents[0].text == "只有标题"


def test_qrels_need_no_header_and_ids_may_be_numbers_or_named_as_in_beir(
    write: Callable[..., Path],
) -> None:
    folder = write(
        corpus_jsonl=_jsonl([{"_id": 7, "text": "seven"}]),
        queries_jsonl=_jsonl([{"_id": "1", "text": "What is seven?"}]),
        qrels_tsv="1\t7\t2\n",
    )
    assert load_dataset(folder).qrels == {"1": {document_id("7"): 2}}


def test_another_corpus_file_may_be_chosen_and_gzipped(write: Callable[..., Path]) -> None:
    folder = write()
    more = [*CORPUS, {"id": "d3", "text": "Distractor."}]
    (folder / "full.jsonl.gz").write_bytes(gzip.compress(_jsonl(more).encode()))
    assert len(load_dataset(folder, corpus="full.jsonl").documents) == 3
    assert len(load_dataset(folder, corpus="full.jsonl.gz").documents) == 3


@pytest.mark.parametrize(
    ("replaced", "key"),
    [
        ({"corpus_jsonl": '{"id": "d1", "text": '}, "error.dataset_line"),
        ({"corpus_jsonl": '{"id": "d1"}\n'}, "error.dataset_line"),
        ({"corpus_jsonl": "[1]\n"}, "error.dataset_line"),
        ({"queries_jsonl": _jsonl([QUERIES[0], QUERIES[0]])}, "error.dataset_duplicate"),
        ({"qrels_tsv": "q1\td1\n"}, "error.dataset_line"),
        ({"qrels_tsv": "q1\td1\tgood\nq1\td2\tbad\n"}, "error.dataset_line"),
        ({"qrels_tsv": "q1\td9\t1\n"}, "error.dataset_unknown"),
        ({"qrels_tsv": "q9\td1\t1\n"}, "error.dataset_unknown"),
        ({"qrels_tsv": "q1\td1\t0\n"}, "error.dataset_unjudged"),
    ],
)
def test_a_fault_in_a_file_is_reported_with_a_hint_in_both_languages(
    write: Callable[..., Path], replaced: dict[str, str], key: str
) -> None:
    with pytest.raises(InputError) as caught:
        load_dataset(write(**replaced))
    assert caught.value.key == key
    assert _explains_itself(caught.value)


def test_a_fault_names_its_file_and_line(write: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"Line 2 of queries\.jsonl"):
        load_dataset(write(queries_jsonl=_jsonl(QUERIES[:1]) + "\n{}\n".lstrip()))


def test_a_missing_file_is_named(write: Callable[..., Path]) -> None:
    folder = write()
    (folder / "qrels.tsv").unlink()
    with pytest.raises(NotFoundError, match=r"qrels\.tsv") as caught:
        load_dataset(folder)
    assert _explains_itself(caught.value)


def test_bytes_that_are_not_what_they_seem_are_refused(write: Callable[..., Path]) -> None:
    folder = write()
    (folder / "full.jsonl.gz").write_bytes(b"not gzip")
    (folder / "latin.jsonl").write_bytes(b'{"id": "d1", "text": "\xe9"}\n')
    for corpus in ("full.jsonl", "latin.jsonl"):
        with pytest.raises(InputError) as caught:
            load_dataset(folder, corpus=corpus)
        assert caught.value.key == "error.dataset_file"


def _made(documents: int) -> Dataset:
    """Each document answers one question; the last question is answered by all."""
    names = [f"d{at}" for at in range(documents)]
    return Dataset(
        name="made",
        documents=tuple(
            Document(id=name, source=name, title="", text=name, language="en") for name in names
        ),
        queries=tuple(EvalQuery(id=name, text=name) for name in (*names, "all")),
        qrels={**{name: {name: 1} for name in names}, "all": dict.fromkeys(names, 1)},
    )


def test_questions_whose_documents_are_left_out_become_unanswerable() -> None:
    dataset = without(_made(10), 0.4)
    left = {document.id for document in dataset.documents}
    assert len(left) == 6
    answerable = {query.id for query in dataset.queries if query.answerable}
    assert answerable == left | {"all"}
    assert set(dataset.qrels["all"]) == left
    assert {query.id for query in dataset.judged} == answerable
    assert without(_made(10), 0.4) == dataset
    assert without(_made(10), 0.4, seed=1) != dataset


def test_a_sample_keeps_the_proportion_of_unanswerable_questions_and_the_order() -> None:
    dataset = without(_made(40), 0.5)
    sample = sampled(dataset, 20)
    assert sum(not query.answerable for query in sample.queries) == 10
    order = [query.id for query in dataset.queries]
    assert [query.id for query in sample.queries] == sorted(
        (query.id for query in sample.queries), key=order.index
    )
    smaller = {query.id for query in sampled(dataset, 10).queries}
    assert smaller < {query.id for query in sample.queries}
    assert sampled(dataset, None) is dataset


def test_answers_and_their_evidence_may_be_there(write: Callable[..., Path]) -> None:
    rows: list[dict[str, object]] = [
        {"id": "q1", "answers": ["100", " "], "evidence": ["one way", ["another", "way"], []]},
        {"id": "q9", "answers": ["of no question"]},
    ]
    first, second, _ = load_dataset(write(answers_jsonl=_jsonl(rows))).queries
    assert first.answers == ("100",)
    assert first.passages == (("one way",), ("another", "way"))
    assert (second.answers, second.passages) == ((), ())


def _explains_itself(error: WenquError) -> bool:
    return all(error.message(locale) and error.hint(locale) for locale in ("en", "zh"))
