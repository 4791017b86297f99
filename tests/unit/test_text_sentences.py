import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.sentences import MAX_SENTENCE, sentences

TRICKY_TEXT = st.lists(
    st.sampled_from(
        [*"。！？；…，.!?;:,()（）”“》\"' \n\t#-|1aZé中文", "Dr", "e.g", "第1条", "\u3000"]
    ),
    max_size=80,
).map("".join)


def cut(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["问渠那得清如许？", "为有源头活水来。"],
        ["真的吗？！", "是的……", "好；", "走吧"],
        ["他说：“你好！”", "然后走了。"],
        ["（本条自发布之日起施行。）", "第二款另行规定。"],
        ["《冰雪奇缘！》是一部电影。", "很好看。"],
        ["“真好！”，他说。"],
        ["Dr. Smith met Mr. J. R. Brown on Jan. 5 at 3 p.m. in Bonn.", "They talked."],
        ["Use v1.2.3 (see Fig. 3, e.g. the left part).", "It costs $3.50 etc.", "Next."],
        ["Visit https://a.b/c?d=e.f now!", "Is Node.js fast?", "Yes."],
        ["Yes... maybe.", "He said “Stop!”", "We did."],
        ["It was shown by Li et al. 2019 and i.e. by us.", "Done."],
        ["支持 Python 3.11 和 v0.2.1。", "See docs.", "完成。"],
        ["Mixed text ends here.", "中文接着写。"],
        ["1. First of all.", "2. Then this."],
        ["原因如下：1.天气很冷，2.路很远。", "完"],
        ["It grew by 1.5.", "Then v0.2.", "Next came 12."],
        ["He paused… then left.", "End"],
    ],
    ids=lambda expected: expected[0],
)
def test_sentences_end_where_a_reader_ends_them(expected: list[str]) -> None:
    joiner = "" if ord(expected[0][-1]) > 0x2E7F and ord(expected[-1][0]) > 0x2E7F else " "
    assert cut(joiner.join(expected)) == expected


def test_headings_list_items_and_table_rows_are_sentences() -> None:
    lines = [
        "# 安装指南与环境准备以及各种平台上的常见问题说明和解决办法",
        "正文一行",
        "- 第一项",
        "2. Second item",
        "（三）第三项",
        "| a | b |",
        "| 1 | 2 |",
    ]
    assert cut("\n".join(lines)) == lines


def test_a_wrapped_line_does_not_end_a_sentence_and_a_blank_one_does() -> None:
    wrapped = "The quick brown fox jumps over the lazy dog\nand then sleeps for the whole afternoon"
    assert cut(f"{wrapped}\n\nA new one") == [wrapped, "A new one"]


def test_a_line_too_short_to_be_wrapped_ends_a_sentence() -> None:
    assert cut("Name: Li\nAge: 30") == ["Name: Li", "Age: 30"]


def test_a_sentence_without_end_is_cut_after_a_comma() -> None:
    pieces = cut("一二三四五六七八九，" * 100)
    assert all(piece.endswith("，") for piece in pieces)
    assert max(map(len, pieces)) == MAX_SENTENCE


def test_nothing_but_space_has_no_sentence() -> None:
    assert sentences(" \n\t\u3000\n") == []


@given(st.one_of(st.text(st.characters(exclude_categories=())), TRICKY_TEXT))
def test_sentences_are_ordered_stripped_and_hold_every_visible_character(text: str) -> None:
    end = 0
    for span in sentences(text):
        assert span.start >= end
        assert not text[end : span.start].strip()
        piece = text[span.start : span.end]
        assert piece
        assert piece == piece.strip()
        assert len(piece) <= MAX_SENTENCE
        end = span.end
    assert not text[end:].strip()


@pytest.mark.parametrize(
    "unit", [".", "a", "中", " ", "\n", "a. ", "”", "a.", "，", "1. ", "…", "|\n"]
)
def test_a_hostile_text_is_cut_whole(unit: str) -> None:
    text = unit * 50_000
    assert sum(span.end - span.start for span in sentences(text)) >= len("".join(text.split()))
