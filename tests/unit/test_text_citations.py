from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.citations import (
    AnswerSentence,
    MarkerFilter,
    loop_start,
    needs_citation,
    parse,
    places,
    render,
    support,
)
from wenqu.types import Span


def filtered(*pieces: str, markers: tuple[int, ...] = (1, 2, 3)) -> str:
    marker_filter = MarkerFilter(markers)
    return "".join([marker_filter.feed(piece) for piece in pieces]) + marker_filter.finish()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("年假五天[1]。", "年假五天[1]。"),
        ("年假五天【1】。", "年假五天[1]。"),
        ("年假五天［２］。", "年假五天[2]。"),
        ("Both hold [1, 2].", "Both hold [1][2]."),
        ("都对[1，3]。", "都对[1][3]。"),
        ("All of them [1-3].", "All of them [1][2][3]."),
        ("Twice [1][1].", "Twice [1]."),
        ("Twice [2, 2].", "Twice [2]."),
        ("Nothing there [9].", "Nothing there."),
        ("One of two [1, 9].", "One of two [1]."),
        ("Here [1] and here [1].", "Here [1] and here [1]."),
    ],
)
def test_every_kind_of_marker_is_written_alike_and_those_that_point_nowhere_go(
    written: str, shown: str
) -> None:
    assert filtered(written) == shown


@pytest.mark.parametrize(
    "text",
    [
        "`items[9]` is the tenth.",
        "```python\nx = items[9]\n```\n",
        "Since [2024] and [the manual] and [] and [a1].",
        "An open [ bracket, and [12",
        "- [ ] to do",
        "trailing space ",
    ],
)
def test_brackets_that_are_no_markers_stay(text: str) -> None:
    assert filtered(text) == text


def test_markers_after_code_are_markers_again() -> None:
    assert filtered("`a[9]` does it [9].") == "`a[9]` does it."
    assert filtered("```\na[9]\n```\nDone [1][9].") == "```\na[9]\n```\nDone [1]."


def test_text_is_held_back_only_while_it_may_become_a_marker() -> None:
    marker_filter = MarkerFilter({1})
    assert marker_filter.feed("年假 [") == "年假"
    assert marker_filter.feed("1") == ""
    assert marker_filter.feed("]") == " [1]"
    assert marker_filter.feed(" [注") == " [注"
    assert marker_filter.finish() == ""


MARKED = st.lists(
    st.sampled_from(
        [
            "[",
            "]",
            "【",
            "】",
            "1",
            "12",
            "9",
            ",",
            "，",
            "-",
            " ",
            "\n",
            "`",
            "```",
            "字",
            "ab",
            ".",
        ]
    )
).map("".join)


@given(text=MARKED, cuts=st.lists(st.integers(min_value=0, max_value=60), max_size=8))
def test_any_cut_into_pieces_shows_the_same_text(text: str, cuts: list[int]) -> None:
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert filtered(*pieces) == filtered(text)


@given(text=MARKED)
def test_filtering_again_changes_nothing(text: str) -> None:
    once = filtered(text)
    again = filtered(once)
    assert again.replace(" ", "") == once.replace(" ", "")


@given(text=st.text())
def test_text_without_brackets_passes_as_it_is(text: str) -> None:
    plain = text.translate({ord(c): None for c in "[【［"})
    assert filtered(plain) == plain


def markers_of(text: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(part.text, part.markers) for part in parse(text)[1]]


def test_a_marker_belongs_to_the_sentence_before_it() -> None:
    assert markers_of("年假有五天[1]。须提前三天申请。[2][3]主管批准。") == [
        ("年假有五天。", (1,)),
        ("须提前三天申请。", (2, 3)),
        ("主管批准。", ()),
    ]
    assert markers_of("It is five days [1]. File it early. [2] Then wait.") == [
        ("It is five days.", (1,)),
        ("File it early.", (2,)),
        ("Then wait.", ()),
    ]


def test_a_marker_that_begins_a_line_belongs_to_that_line() -> None:
    assert markers_of("[1] Five days.\n[2] File it early.") == [
        ("Five days.", (1,)),
        ("File it early.", (2,)),
    ]


def test_a_marker_alone_on_its_line_belongs_to_the_text_above() -> None:
    assert markers_of("Five days.\n[1]\nFile it early.") == [
        ("Five days.", (1,)),
        ("File it early.", ()),
    ]


def test_a_block_of_code_is_one_sentence_whose_brackets_are_no_markers() -> None:
    parts = parse("Run this:\n```\npip install lmdeploy\nx = a[1]\n```\n[2]")[1]
    assert [part.markers for part in parts] == [(), (2,)]
    assert parts[1].is_code
    assert "a[1]" in parts[1].text


def test_rendering_puts_markers_before_the_stop() -> None:
    plain, parts = parse("年假有五天。[1] It is approved.[2]")
    assert render(plain, parts) == "年假有五天[1]。 It is approved [2]."


SENTENCES = st.lists(
    st.tuples(
        st.sampled_from(["年假有五天", "It takes five days", "用 pip 安装", "- 项目", "v1.2"]),
        st.lists(st.integers(1, 99), unique=True, max_size=3),
        st.sampled_from(["。", ".", "！", "\n\n"]),
    ),
    max_size=6,
)


@given(parts=SENTENCES)
def test_rendered_answers_parse_to_the_same_sentences(
    parts: list[tuple[str, list[int], str]],
) -> None:
    text = "".join(f"{said}{''.join(f'[{n}]' for n in ns)}{stop} " for said, ns, stop in parts)
    plain, found = parse(text)
    assert parse(render(plain, found)) == (plain, found)


@given(text=st.text(alphabet="[]12`~|#.。\n ab字", max_size=80))
def test_any_text_parses_into_exact_sentences(text: str) -> None:
    plain, parts = parse(text)
    assert all(plain[part.span.start : part.span.end] == part.text for part in parts)


def test_headings_and_lead_ins_need_no_citation() -> None:
    def part(text: str) -> AnswerSentence:
        return AnswerSentence(span=Span(start=0, end=len(text)), text=text, markers=())

    assert not needs_citation(part("步骤如下："))
    assert not needs_citation(part("## Steps"))
    assert not needs_citation(part("---"))
    assert needs_citation(part("年假有五天。"))


def test_a_sentence_in_the_words_of_its_passage_is_supported() -> None:
    passage = "入职满一年的员工每年有五天年假。申请须提前三天提交，由主管批准。"
    assert support("年假申请须提前三天提交。", passage, meaning=0.92).probability > 0.8
    assert support("公司总部位于上海浦东。", passage, meaning=0.80).probability < 0.2


def test_a_number_that_the_passage_does_not_have_counts_against_a_sentence() -> None:
    passage = "The warranty lasts 24 months from delivery."
    right = support("The warranty lasts 24 months.", passage, meaning=0.95)
    wrong = support("The warranty lasts 36 months.", passage, meaning=0.95)
    assert wrong.probability < 0.5 < right.probability
    assert (right.missing, wrong.missing) == (0.0, 1.0)


def test_a_name_is_not_borne_out_by_a_passage_about_somebody_else() -> None:
    passage = "2005年，白磊被家人改名为白岳峰，家人希望通过这种方式让他转转运气。"
    assert support("赵鹏的女儿叫白岳峰。", passage, meaning=0.86).probability < 0.5
    assert support("白磊改名为白岳峰。", passage, meaning=0.92).probability > 0.8


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("可以安装。" + "请先安装依赖库。" * 4, "可以安装。请先安装依赖库。"),
        ("Start: " + "and then again the same thing " * 5, "Start: and then again the same thing "),
        (
            "Install it first.\nRun the server now.\nInstall it first.\nGood.\nInstall it first.\n",
            "Install it first.\nRun the server now.\n",
        ),
    ],
)
def test_a_model_that_repeats_itself_is_cut_at_the_first_repetition(text: str, kept: str) -> None:
    cut = loop_start(text)
    assert cut is not None
    assert text[:cut] == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "| a | b |\n|---|---|\n| 1 | 2 |\n| 1 | 2 |\n| 1 | 2 |\n",
        "-" * 200,
        "年假有五天。病假有十天。产假按规定执行。",
        "1. pip install a\n2. pip install b\n3. pip install c\n",
    ],
)
def test_text_that_goes_on_is_no_loop(text: str) -> None:
    assert loop_start(text) is None


@given(parts=SENTENCES)
def test_the_places_of_sentences_hold_them_with_their_markers(
    parts: list[tuple[str, list[int], str]],
) -> None:
    text = "".join(f"{said}{stop}{''.join(f'[{n}]' for n in ns)} " for said, ns, stop in parts)
    found = parse(text)[1]
    spans = places(text)
    assert len(spans) == len(found)
    for span, part in zip(spans, found, strict=True):
        (inside,) = parse(text[span.start : span.end])[1] or [None]
        assert inside is not None
        assert (inside.text, inside.markers) == (part.text, part.markers)


@given(text=st.text(alphabet="[]12`~|#.。\n ab字", max_size=80))
def test_the_places_of_any_text_s_sentences_are_in_it_and_in_order(text: str) -> None:
    spans = places(text)
    assert len(spans) == len(parse(text)[1])
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.start <= other.start for one, other in pairwise(spans))


def test_numbers_found_again_count_where_the_evidence_is_in_another_language() -> None:
    said, own, other = (
        "滤芯每 300 小时更换一次。",
        "滤芯须每 300 小时更换。",
        "Replace it every 300 hours.",
    )
    assert (
        support(said, other, 0.3, 0.0, 2).probability > support(said, other, 0.3, 0.0).probability
    )
    assert support(said, own, 0.9, 0.0, 2) == support(said, own, 0.9, 0.0)
