from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from wenqu.pipeline.diversify import collapsed, diversified
from wenqu.testing.contracts_rerank import hits_of
from wenqu.types import Origin

if TYPE_CHECKING:
    from wenqu.types import Hit

LONG = (
    "The employee may take up to {days} days of leave in each calendar year, which the head of the"
    " department approves in writing before the leave begins, unless an illness makes that"
    " impossible; then the employee tells the head of the department by telephone as soon as"
    " that can reasonably be done, and hands in what the physician has written {when}."
)
RULE = (
    "用人单位应当自用工之日起{number}个月内与劳动者订立书面劳动合同；已建立劳动关系而未同时订立书面"
    "劳动合同的，劳动者{may}要求用人单位支付相应的工资差额，具体办法由国务院劳动行政部门另行规定并公布。"
)


def kept(*texts: str, top: int = 10) -> list[str]:
    hits, _ = collapsed(hits_of(*texts), top)
    return [hit.chunk.text for hit in hits]


def test_texts_that_differ_in_spaces_signs_and_case_alone_say_the_same() -> None:
    assert kept("Ask the  Office.", "ask the office", "“Ask” the\noffice!") == ["Ask the  Office."]
    assert kept("年假：十五天。", "年假，十五天") == ["年假：十五天。"]


def test_the_better_hit_is_the_one_that_is_kept_and_the_others_are_counted() -> None:
    hits = hits_of("same", "other", "Same.", "same!")
    assert collapsed(hits, 10) == (hits[:2], 2)


def test_of_short_texts_each_word_tells() -> None:
    assert len(kept("Leave must be approved.", "Leave must be refused.")) == 2


def test_long_texts_that_differ_in_a_few_words_say_the_same() -> None:
    first = LONG.format(days="fifteen", when="afterwards")
    second = LONG.format(days="fifteen", when="later")
    assert kept(first, second) == [first]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (LONG.format(days=15, when="later"), LONG.format(days=10, when="later")),
        (LONG.replace("may take", "may not take"), LONG),
        (RULE.format(number="一", may="有权"), RULE.format(number="三", may="有权")),
        (RULE.format(number="一", may="可以"), RULE.format(number="一", may="不得")),
    ],
)
def test_two_versions_that_differ_in_a_number_or_a_negation_are_two_hits(
    first: str, second: str
) -> None:
    assert kept(first, second) == [first, second]


def titled(hit: Hit, title: str, source: str) -> Hit:
    return replace(hit, document=replace(hit.document, title=title, source=source))


def test_the_same_text_under_another_title_or_heading_is_said_of_something_else() -> None:
    first, second = hits_of("Voltage: 220 V", "Voltage: 220 V")
    lamp, fan = titled(first, "Lamp", "/a.md"), titled(second, "Fan", "/b.md")
    assert collapsed([lamp, fan], 10) == ([lamp, fan], 0)
    below = replace(second, chunk=replace(second.chunk, heading=("Japan",)))
    assert collapsed([first, below], 10) == ([first, below], 0)


@pytest.mark.parametrize(
    ("title", "source"), [("copy", "/x/copy.txt"), ("x/readme", "C:\\x\\readme.txt")]
)
def test_a_title_that_is_only_the_files_name_says_nothing(title: str, source: str) -> None:
    texts = (LONG.format(days="fifteen", when=when) for when in ("afterwards", "later"))
    first, second = hits_of(*texts)
    named, other = titled(first, "notes", "/notes.txt"), titled(second, title, source)
    assert collapsed([named, other], 10) == ([named], 1)


def test_no_more_hits_are_kept_than_wanted_and_the_rest_is_not_looked_at() -> None:
    hits = hits_of("one", "one", "two", "three", "three")
    assert collapsed(hits, 2) == ([hits[0], hits[2]], 1)


def test_texts_without_a_word_are_not_taken_for_one_another() -> None:
    assert kept("---", "***") == ["---", "***"]


def vectors_of(*angles: float) -> dict[str, np.ndarray]:
    hits = hits_of(*(f"text {number}" for number in range(len(angles))))
    return {
        hit.chunk.id: np.array([np.cos(angle), np.sin(angle)], np.float32)
        for hit, angle in zip(hits, angles, strict=True)
    }


def places(count: int, vectors: dict[str, np.ndarray], diversity: float, top: int) -> list[int]:
    hits = hits_of(*(f"text {number}" for number in range(count)))
    chosen = diversified(hits, vectors, diversity, top)
    return [hits.index(hit) for hit in chosen]


def test_without_diversity_the_ranking_stays() -> None:
    assert places(4, vectors_of(0, 0, 0.1, 1), 0.0, 4) == [0, 1, 2, 3]


def test_with_some_diversity_what_is_new_comes_before_what_is_said_already() -> None:
    assert places(4, vectors_of(0, 0, 0.01, 1), 0.7, 3) == [0, 3, 1]


def test_the_best_hit_stays_the_first_whatever_the_diversity() -> None:
    assert places(3, vectors_of(0, 0.5, 1), 1.0, 3)[0] == 0


def test_a_chunk_without_a_vector_is_like_none() -> None:
    vectors = vectors_of(0, 0.1, 0.5, 0.1, 1)
    assert places(5, vectors, 0.9, 2) == [0, 4]
    del vectors[list(vectors)[3]]
    assert places(5, vectors, 0.9, 2) == [0, 3]


def test_reranked_hits_are_worth_more_than_those_behind_them_whatever_their_scores() -> None:
    hits = hits_of("a", "b", "c", "d")
    hits[:2] = [
        replace(hit, score=-9.0 - at, origin=Origin.RERANKED) for at, hit in enumerate(hits[:2])
    ]
    assert diversified(hits, {}, 0.5, 4) == hits


def test_of_no_hits_none_are_chosen() -> None:
    assert diversified([], {}, 0.5, 3) == []
