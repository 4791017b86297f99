import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.testing.chunks import cut, made_of, size, texts, word_starts
from wenqu.text.chunk import embedding_key, embedding_text
from wenqu.types import Block, BlockKind, Chunk, Document, Span, chunk_id

HEADING, PARAGRAPH, CODE, TABLE = (
    BlockKind.HEADING,
    BlockKind.PARAGRAPH,
    BlockKind.CODE,
    BlockKind.TABLE,
)


def plain(text: str) -> Document:
    return Document(id="d", source="s", title="t", text=text, language="en")


def words(number: int, start: int = 0) -> str:
    return " ".join(f"w{start + at}" for at in range(number))


def test_a_small_document_is_one_chunk() -> None:
    (only,) = cut(plain("\n问渠那得清如许？\n\n为有源头活水来。 "), 64)
    assert only.text == "问渠那得清如许？\n\n为有源头活水来。"
    assert only.id == chunk_id("d", 1, only.text)


def test_a_document_without_text_has_no_chunks() -> None:
    assert cut(plain(" \n\n\t"), 64) == []


def test_paragraphs_are_packed_up_to_the_limit_and_kept_whole() -> None:
    paragraphs = [words(20, start) for start in (0, 20, 40, 60)]
    chunks = cut(plain("\n\n".join(paragraphs)), 40)
    assert texts(chunks) == ["\n\n".join(paragraphs[:2]), "\n\n".join(paragraphs[2:])]


def test_a_heading_begins_a_chunk_that_carries_its_path() -> None:
    chunks = cut(
        made_of(
            (HEADING, (), "# Guide"),
            (HEADING, ("Guide",), "## Install"),
            (PARAGRAPH, ("Guide", "Install"), words(20)),
            (HEADING, ("Guide",), "## Use"),
            (PARAGRAPH, ("Guide", "Use"), words(20)),
        ),
        40,
    )
    assert [each.heading for each in chunks] == [("Guide", "Install"), ("Guide", "Use")]
    assert chunks[0].text.startswith("# Guide\n\n## Install\n\nw0")
    assert chunks[1].text.startswith("## Use\n\nw0")


def test_small_sections_share_a_chunk_under_their_common_heading() -> None:
    sections = [
        part
        for name in ("a", "b", "c")
        for part in ((HEADING, ("Q",), f"## {name}"), (PARAGRAPH, ("Q", name), words(3)))
    ]
    chunks = cut(made_of((HEADING, (), "# Q"), *sections), 100)
    assert [each.heading for each in chunks] == [("Q",)]


def test_a_chunk_never_crosses_a_top_level_heading() -> None:
    chunks = cut(
        made_of(
            (PARAGRAPH, (), "intro"),
            (HEADING, (), "A"),
            (PARAGRAPH, ("A",), "one"),
            (HEADING, (), "B"),
            (PARAGRAPH, ("B",), "two"),
        ),
        100,
    )
    assert texts(chunks) == ["intro", "A\n\none", "B\n\ntwo"]


def test_a_heading_is_not_parted_from_a_text_that_must_be_cut() -> None:
    sentences = " ".join(f"Sentence {number} has seven words in it." for number in range(20))
    chunks = cut(
        made_of((HEADING, (), "# Long"), (PARAGRAPH, ("Long",), sentences)), 32, word_starts
    )
    assert chunks[0].text.startswith("# Long\n\nSentence 0")
    assert all(each.text.endswith(".") for each in chunks)
    assert all(each.heading == ("Long",) for each in chunks)


def test_a_small_last_piece_takes_sentences_from_the_chunk_before() -> None:
    text = " ".join(f"Sentence {number} has seven words in it." for number in range(6))
    chunks = cut(plain(text), 40)
    assert [size(each.text) for each in chunks] == [32, 16]


def test_code_stays_whole_while_it_fits_and_is_cut_between_lines() -> None:
    fitting = "\n".join(f"x{line} = {line}" for line in range(8))
    large = "\n".join(f"y{line} = {line}" for line in range(20))
    chunks = cut(
        made_of((PARAGRAPH, (), words(12)), (CODE, (), fitting), (CODE, (), large)),
        32,
    )
    assert texts(chunks)[1] == fitting
    rows = [row for each in chunks[2:] for row in each.text.split("\n")]
    assert rows == large.split("\n")


def test_a_table_is_cut_between_rows() -> None:
    rows = [f"| {row} | value. And more |" for row in range(12)]
    chunks = cut(made_of((TABLE, (), "\n".join(rows))), 32)
    assert len(chunks) > 1
    assert [row for each in chunks for row in each.text.split("\n")] == rows


def test_a_sentence_too_long_is_cut_after_a_comma() -> None:
    chunks = cut(plain("一二三四五六七，" * 20), 30)
    assert all(each.text.endswith("，") for each in chunks)
    assert max(size(each.text) for each in chunks) == 24


def test_text_outside_of_blocks_is_not_lost() -> None:
    text = "before\n\ninside\n\nafter"
    block = Block(span=Span(start=8, end=14), heading=("H",))
    loose = Document(id="d", source="s", title="t", text=text, language="en", blocks=(block,))
    assert texts(cut(loose, 64)) == ["before", "inside\n\nafter"]


def test_a_chunk_names_the_pages_of_its_blocks_in_order() -> None:
    text = "one\n\ntwo\n\nthree"
    blocks = tuple(
        Block(span=Span(start=start, end=end), page=page)
        for start, end, page in ((0, 3, 4), (5, 8, 4), (10, 15, 5))
    )
    paged = Document(id="d", source="s", title="t", text=text, language="en", blocks=blocks)
    (only,) = cut(paged, 64)
    assert only.pages == (4, 5)
    assert only.page == 4


PARTS = st.lists(
    st.tuples(
        st.sampled_from(list(BlockKind)),
        st.lists(st.sampled_from("AB"), max_size=2).map(tuple),
        st.lists(
            st.sampled_from(["a", "中文", "。", ". ", "，", "\n", "\n\n", " ", "word", "|", "# "]),
            max_size=60,
        ).map("".join),
    ),
    max_size=8,
)


@given(PARTS, st.integers(1, 40))
def test_chunks_are_exact_ordered_whole_and_small_enough(
    parts: list[tuple[BlockKind, tuple[str, ...], str]], maximum: int
) -> None:
    whole = made_of(*parts)
    check(whole, cut(whole, maximum), maximum)


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 40))
def test_any_text_without_blocks_is_cut_whole(text: str, maximum: int) -> None:
    check(plain(text), cut(plain(text), maximum), maximum)


def check(whole: Document, chunks: Sequence[Chunk], maximum: int) -> None:
    end = 0
    for each in chunks:
        assert each.start >= end
        assert not whole.text[end : each.start].strip()
        assert each.text == whole.text[each.start : each.end] == each.text.strip()
        assert each.text
        assert size(whole.text[each.start : each.end]) <= maximum or len(each.text.split()) == 1
        end = each.end
    assert not whole.text[end:].strip()


@pytest.mark.parametrize("unit", ["a", "中", "a. ", "。", "x\n", "y\n\n", "，"])
def test_a_hostile_text_is_cut_whole(unit: str) -> None:
    whole = plain(unit * 30_000)
    check(whole, cut(whole, 64), 64)


def made(text: str, *heading: str) -> Chunk:
    return Chunk(id="0", document_id="d", text=text, start=0, end=len(text), heading=heading)


def test_what_is_embedded_has_title_and_heading_path_in_front() -> None:
    assert embedding_text(made("正文", "安装", "环境"), "指南") == "指南 › 安装 › 环境\n正文"


def test_what_is_embedded_does_not_say_twice_what_the_text_begins_with() -> None:
    text = "# 指南\n\n## 安装\n\n正文"
    assert embedding_text(made(text, "指南", "安装"), "指南") == text
    assert embedding_text(made("正文", "指南", "安装"), "指南") == "指南 › 安装\n正文"


def test_an_embedding_key_depends_on_the_whole_text() -> None:
    assert embedding_key("a") == embedding_key("a")
    assert embedding_key("a") != embedding_key("a ")
    assert re.fullmatch("[0-9a-f]{32}", embedding_key("\ud800"))
