from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wenqu.indexes.lexical import LexicalIndex
from wenqu.testing.samples import change_of, chunks_of, document_of

if TYPE_CHECKING:
    from pathlib import Path

    from wenqu.protocols import Change


def write(index: LexicalIndex, *changes: Change) -> None:
    with index.writing() as apply:
        apply(changes)


@pytest.fixture
def index(tmp_path: Path) -> LexicalIndex:
    return LexicalIndex(tmp_path / "lexical")


def found(index: LexicalIndex, text: str, top: int = 9) -> list[str]:
    return [hit.chunk_id for hit in index.search(text, top, None).hits]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("参考文献按 GB/T 7714-2015 著录。", "GB/T 7714-2015"),
        ("模型 internlm2_5-7b 已发布。", "internlm2_5-7b"),
        ("Deploy it with lmdeploy serve.", "deploying"),
        ("ＡＢＣ公司", "abc"),
        ("資料庫管理", "资料库"),
        ("运行 xtuner 微调", "XTuner"),
    ],
)
def test_exact_strings_and_other_forms_are_found(
    index: LexicalIndex, text: str, question: str
) -> None:
    wanted, other = document_of("one", text), document_of("two", "别的内容 something else")
    write(index, change_of(1, wanted), change_of(2, other))
    assert found(index, question)[0] == chunks_of(wanted)[0].id


def test_a_rare_word_counts_more_than_a_common_one(index: LexicalIndex) -> None:
    rare = document_of("rare", "common tungsten")
    common = (change_of(n, document_of(f"{n}", "common common")) for n in range(2, 9))
    write(index, change_of(1, rare), *common)
    assert found(index, "common tungsten")[0] == chunks_of(rare)[0].id


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("朱载圳封景王。", "Where was the fief of Zhu Zaizhen?"),
        ("孙德培成立中和帮。", "sun depei"),
        ("毛泽东生于湖南。", "When was Mao Zedong born?"),
        ("長安是漢朝的都城。", "the city of Chang'an"),
        ("呂布是三國人物。", "Lü Bu"),
    ],
)
def test_a_chinese_name_is_found_by_how_it_sounds(
    index: LexicalIndex, text: str, question: str
) -> None:
    wanted, other = document_of("one", text), document_of("two", "此处无关。 Where was it?")
    write(index, change_of(1, wanted), change_of(2, other))
    hits = index.search(question, 9, None)
    assert hits.hits[0].chunk_id == chunks_of(wanted)[0].id
    assert hits.hits[0].score <= hits.limit


def test_names_that_sound_alike_count_alike(index: LexicalIndex) -> None:
    rare = document_of("rare", "载圳住在这里。")
    common = [document_of(f"{number}", "再振住在这里。") for number in range(4)]
    write(index, change_of(1, rare), *(change_of(2 + n, one) for n, one in enumerate(common)))
    scores = [hit.score for hit in index.search("Zaizhen", 9, None).hits]
    assert scores == pytest.approx([scores[0]] * 5, rel=1e-5)


def test_a_word_that_the_index_knows_is_no_name(index: LexicalIndex) -> None:
    write(index, change_of(1, document_of("a", "那么好")), change_of(2, document_of("b", "name")))
    assert len(found(index, "the name")) == 1
    assert len(found(index, "by Name")) == 2


def test_a_word_that_is_asked_twice_counts_twice(index: LexicalIndex) -> None:
    write(index, change_of(1, document_of("a", "apple", "pear")))
    once, twice = index.search("apple pear", 9, None), index.search("apple apple pear", 9, None)
    assert twice.hits[0].score == pytest.approx(2 * once.hits[0].score, rel=1e-5)
    assert twice.limit == pytest.approx(1.5 * once.limit, rel=1e-5)


def test_the_limit_is_out_of_reach_however_often_a_word_is_repeated(index: LexicalIndex) -> None:
    write(
        index,
        change_of(1, document_of("a", "tungsten " * 200)),
        change_of(2, document_of("b", "something else altogether, and long enough to count")),
    )
    hits = index.search("tungsten", 9, None)
    assert 0.5 * hits.limit < hits.hits[0].score < hits.limit


def test_equal_scores_are_in_the_order_of_ids(index: LexicalIndex) -> None:
    write(index, *(change_of(n, document_of(f"{n:02}", "same", title="t")) for n in range(1, 9)))
    ids = found(index, "same")
    assert ids == sorted(ids)
    assert len(ids) == 8


def test_nothing_is_found_for_a_question_without_terms(index: LexicalIndex) -> None:
    write(index, change_of(1, document_of("a", "text")))
    hits = index.search("？？？", 9, None)
    assert (list(hits.hits), hits.limit) == ([], 0.0)


def test_what_failed_in_the_middle_is_not_there(index: LexicalIndex) -> None:
    def fail() -> None:
        with index.writing() as apply:
            apply([change_of(1, document_of("a", "text"))])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert found(index, "text") == []
    write(index, change_of(1, document_of("a", "text")))
    assert len(found(index, "text")) == 1


def test_a_document_is_replaced_also_within_one_writing(index: LexicalIndex) -> None:
    with index.writing() as apply:
        apply([change_of(1, document_of("a", "first"))])
        apply([change_of(2, document_of("a", "second"))])
    assert found(index, "first") == []
    assert len(found(index, "second")) == 1


def test_another_that_is_open_sees_what_was_written_after_a_reload(
    index: LexicalIndex, tmp_path: Path
) -> None:
    other = LexicalIndex(tmp_path / "lexical")
    write(index, change_of(1, document_of("a", "text")))
    other.reload()
    assert len(found(other, "text")) == 1
    write(other, change_of(2, document_of("a", "other")))
    index.reload()
    assert found(index, "text") == []


def test_long_questions_of_many_words_are_searched(index: LexicalIndex) -> None:
    words = " ".join(f"word{number}" for number in range(3000))
    write(index, change_of(1, document_of("a", words)))
    assert len(found(index, words)) == 1


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text("{}", "utf-8")
    with pytest.raises(ValueError):  # noqa: PT011  # tantivy's own wording
        LexicalIndex(tmp_path)


def test_words_of_another_language_are_found_by_their_best_sense(index: LexicalIndex) -> None:
    wanted = document_of("wanted", "The embargo hit the trade of Cuba.")
    other = document_of("other", "An export ban, a ban, a ban.")
    rest = document_of("rest", "A river flows under the bridge.")
    write(index, change_of(1, wanted), change_of(2, other), change_of(3, rest))
    embargo, cuba = (("embargo",), ("export", "ban")), (("cuba",),)
    hits = index.search((embargo, cuba), 9, None)
    assert [hit.chunk_id for hit in hits.hits] == [
        chunks_of(wanted)[0].id,
        chunks_of(other)[0].id,
    ]
    assert hits.hits[0].score < hits.limit
    assert hits.named == 0


def test_all_senses_of_a_word_are_as_rare_as_they_are_together(index: LexicalIndex) -> None:
    texts = ["embargo of salt", "ban of salt", "ban of tea", "tea", "silk", "wool"]
    changes = (change_of(n, document_of(f"{n}", text)) for n, text in enumerate(texts, 1))
    write(index, *changes)
    alone = index.search(((("embargo",),),), 9, None)
    both = index.search(((("embargo",), ("ban",)),), 9, None)
    assert len(alone.hits) == 1
    assert len({round(hit.score, 4) for hit in both.hits}) == 1
    assert len(both.hits) == 3
    assert both.hits[0].score < alone.hits[0].score
    assert both.limit < alone.limit


def test_of_a_sense_of_several_terms_some_will_do_and_all_are_best(index: LexicalIndex) -> None:
    texts = {"all": "the steam engine", "some": "the diesel engine", "none": "a wooden mill"}
    documents = {name: document_of(name, text) for name, text in texts.items()}
    write(index, *(change_of(n, one) for n, one in enumerate(documents.values(), 1)))
    hits = index.search(((("steam", "engin"),),), 9, None).hits
    expected = [chunks_of(documents[name])[0].id for name in ("all", "some")]
    assert [hit.chunk_id for hit in hits] == expected


def test_a_sense_with_an_unknown_term_and_a_word_that_most_chunks_have_find_nothing(
    index: LexicalIndex,
) -> None:
    documents = [document_of(f"{number}", f"it is said {number}") for number in range(5)]
    write(index, *(change_of(n, one) for n, one in enumerate(documents, 1)))
    assert list(index.search(((("said", "unheard"),),), 9, None).hits) == []
    assert list(index.search(((("said",),),), 9, None).hits) == []
    assert list(index.search((), 9, None).hits) == []


def test_a_question_asked_again_is_weighed_by_what_the_index_holds_then(
    index: LexicalIndex,
) -> None:
    write(index, change_of(1, document_of("one", "Zhu Zaizhen 朱载圳")))
    before = index.search("载圳", 9, None)
    write(index, *(change_of(n, document_of(f"{n}", "载圳")) for n in range(2, 6)))
    after = index.search("载圳", 9, None)
    assert len(before.hits) == 1
    assert len(after.hits) == 5
    assert after.limit < before.limit
