from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wenqu.readers.builder import DocumentBuilder
from wenqu.testing.chunks import cut, made_of, size, texts
from wenqu.text.chunk import embedding_text, fingerprint
from wenqu.types import Block, BlockKind, Chunking, ChunkStrategy, Document, Span

HEADING, PARAGRAPH, CODE, TABLE, LIST = (
    BlockKind.HEADING,
    BlockKind.PARAGRAPH,
    BlockKind.CODE,
    BlockKind.TABLE,
    BlockKind.LIST,
)
HEADER = "| name | days |\n| --- | --- |"
LEAVE = [f"| person {number} | {number} |" for number in range(30)]
SENTENCES = [f"Sentence {number} has seven words in it." for number in range(30)]


def table(*rows: str, header: str = HEADER) -> tuple[BlockKind, tuple[str, ...], str]:
    return (TABLE, (), "\n".join([header, *rows]))


# Header rows


def test_each_chunk_of_a_long_table_has_its_header_rows() -> None:
    first, *others = cut(made_of(table(*LEAVE)), 64)
    assert first.text.startswith(f"{HEADER}\n{LEAVE[0]}\n")
    assert first.header == ""
    assert len(others) > 2
    assert {each.header for each in others} == {HEADER}
    rows = [row for each in others for row in each.text.split("\n")]
    assert rows == LEAVE[-len(rows) :]


def test_text_before_and_after_a_table_has_no_header_rows() -> None:
    whole = made_of((PARAGRAPH, (), "Who has how much."), table(*LEAVE), (PARAGRAPH, (), "End."))
    chunks = cut(whole, 64)
    assert [bool(each.header) for each in chunks] == [False] + [True] * (len(chunks) - 1)
    # The last chunk begins with rows and ends with the paragraph after them.
    assert chunks[-1].text.endswith("|\n\nEnd.")
    assert cut(made_of((PARAGRAPH, (), " ".join(SENTENCES))), 64)[-1].header == ""


def test_header_rows_are_never_left_behind_at_the_end_of_a_chunk() -> None:
    intro = " ".join(SENTENCES[:6])
    for maximum in range(48, 72):
        chunks = cut(made_of((PARAGRAPH, (), intro), table(*LEAVE)), maximum)
        assert not [each for each in chunks if each.text.endswith(HEADER)]


def test_the_first_row_after_the_header_may_be_larger_than_a_chunk() -> None:
    first, *others = cut(made_of(table("| x | " + "word " * 100 + "|", LEAVE[0])), 64)
    assert first.text.startswith(f"{HEADER}\n| x | word")
    assert all(each.header == HEADER for each in others)


def test_header_rows_that_would_fill_the_chunks_are_not_repeated() -> None:
    long = "| " + " | ".join(f"column {number}" for number in range(9)) + " |\n|" + " --- |" * 9
    chunks = cut(made_of(table(*LEAVE, header=long)), 64)
    assert len(chunks) > 3
    assert {each.header for each in chunks} == {""}


def test_a_table_without_a_rule_has_no_header_rows() -> None:
    chunks = cut(made_of((TABLE, (), "\n".join(LEAVE))), 64)
    assert len(chunks) > 1
    assert {each.header for each in chunks} == {""}


def test_what_is_embedded_of_later_rows_begins_with_the_header_rows() -> None:
    later = cut(made_of(table(*LEAVE)), 64)[1]
    assert embedding_text(later, "Leave") == f"Leave\n{HEADER}\n{later.text}"


# Strategies


def sections(*names: str) -> list[tuple[BlockKind, tuple[str, ...], str]]:
    return [
        part
        for name in names
        for part in ((HEADING, ("Q",), f"## {name}"), (PARAGRAPH, ("Q", name), f"Text of {name}."))
    ]


def test_by_heading_every_section_is_a_chunk_however_small() -> None:
    whole = made_of((HEADING, (), "# Q"), *sections("a", "b", "c"))
    assert len(cut(whole, 100)) == 1
    chunks = cut(whole, 100, ChunkStrategy.HEADING)
    assert [each.heading for each in chunks] == [("Q", "a"), ("Q", "b"), ("Q", "c")]
    assert chunks[0].text == "# Q\n\n## a\n\nText of a."


def test_by_heading_a_heading_without_text_stays_with_the_next() -> None:
    whole = made_of(
        (HEADING, (), "# Q"), (HEADING, ("Q",), "## empty"), *sections("b"), *sections("c")
    )
    assert texts(cut(whole, 100, ChunkStrategy.HEADING)) == [
        "# Q\n\n## empty\n\n## b\n\nText of b.",
        "## c\n\nText of c.",
    ]


def test_by_sentence_chunks_are_filled_with_whole_sentences() -> None:
    paragraphs = [(PARAGRAPH, (), " ".join(SENTENCES[at : at + 3])) for at in range(0, 12, 3)]
    # Paragraphs of 24 tokens: two of them do not fit into 40, but five sentences do.
    assert [size(text) for text in texts(cut(made_of(*paragraphs), 40))] == [24] * 4
    by_sentence = cut(made_of(*paragraphs), 40, ChunkStrategy.SENTENCE)
    assert [size(text) for text in texts(by_sentence)] == [40, 40, 16]
    assert all(each.text.endswith(".") for each in by_sentence)


def test_by_sentence_code_stays_whole() -> None:
    code = "```\nfirst = 1. Then\nsecond = 2\n```"
    whole = made_of((PARAGRAPH, (), " ".join(SENTENCES[:4])), (CODE, (), code))
    assert code in texts(cut(whole, 40, ChunkStrategy.SENTENCE))[1]


def test_by_table_every_row_is_a_chunk_with_its_header() -> None:
    rows = [f"| person number {number} of all people here | {number} |" for number in range(5)]
    whole = made_of((PARAGRAPH, (), "Before."), table(*rows), (PARAGRAPH, (), "After."))
    chunks = cut(whole, 64, ChunkStrategy.TABLE)
    assert texts(chunks) == ["Before.", f"{HEADER}\n{rows[0]}", *rows[1:], "After."]
    assert [each.header for each in chunks] == ["", "", *[HEADER] * 4, ""]


def test_by_table_tiny_rows_share_a_chunk() -> None:
    rows = [f"| {number} |" for number in range(40)]
    chunks = cut(made_of(table(*rows, header="| n |\n| - |")), 256, ChunkStrategy.TABLE)
    assert {len(each.text.split("\n")) for each in chunks[1:-1]} == {4}


@pytest.mark.parametrize(
    "header",
    [
        "| Question | Answer |\n| --- | --- |",
        "| 序号 | 问题 | 答案 |\n| :-- | :-: | --: |",
        "| **问** | **答** |\n|---|---|",
    ],
)
def test_without_being_told_questions_and_answers_are_a_chunk_each(header: str) -> None:
    rows = [f"| How do I ask number {number} here? | Ask number {number}. |" for number in range(4)]
    chunks = cut(made_of(table(*rows, header=header)), 256)
    assert texts(chunks) == [f"{header}\n{rows[0]}", *rows[1:]]
    assert len(cut(made_of(table(*rows)), 256)) == 1


def test_recursively_chunks_are_filled_but_a_section_that_fits_is_not_cut() -> None:
    parts = [(HEADING, (), "# Q")]
    for name, many in (("a", 3), ("b", 1), ("c", 3)):
        parts.append((HEADING, ("Q",), f"## {name}"))
        parts += [(PARAGRAPH, ("Q", name), SENTENCES[at]) for at in range(many)]
    chunks = cut(made_of(*parts), 50, ChunkStrategy.RECURSIVE)
    assert [each.heading for each in chunks] == [("Q",), ("Q", "c")]
    assert size(chunks[0].text) == 40


def test_recursively_chunks_share_whole_sentences() -> None:
    whole = made_of((PARAGRAPH, (), " ".join(SENTENCES)))
    chunks = cut(whole, 40, ChunkStrategy.RECURSIVE, overlap=10)
    for before, after in pairwise(chunks):
        shared = whole.text[after.start : before.end]
        assert shared in SENTENCES
        assert after.text.startswith(shared)
        assert before.text.endswith(shared)


def test_nothing_is_shared_across_top_level_sections() -> None:
    long = " ".join(SENTENCES[:8])
    whole = made_of(
        (HEADING, (), "A"), (PARAGRAPH, ("A",), long), (HEADING, (), "B"), (PARAGRAPH, ("B",), long)
    )
    for strategy in (ChunkStrategy.RECURSIVE, ChunkStrategy.CHARACTER):
        chunks = cut(whole, 40, strategy, overlap=10)
        assert [each.heading for each in chunks] == [("A",)] * 3 + [("B",)] * 3
        assert chunks[3].start == whole.text.index("\n\nB\n") + 2


def test_by_character_chunks_are_of_one_size_and_share_what_was_asked() -> None:
    text = "".join(chr(0x4E00 + number) for number in range(400))
    chunks = cut(made_of((PARAGRAPH, (), text)), 50, ChunkStrategy.CHARACTER, overlap=10)
    assert {len(each.text) for each in chunks[1:-1]} == {50}
    assert [each.start for each in chunks[:4]] == [0, 30, 70, 110]


def test_by_character_words_are_not_torn() -> None:
    text = "wonderful words " * 60
    chunks = cut(made_of((PARAGRAPH, (), text)), 33, ChunkStrategy.CHARACTER, overlap=5)
    assert {word for each in chunks for word in each.text.split()} == {"wonderful", "words"}


def test_more_than_half_of_a_chunk_is_never_shared() -> None:
    whole = made_of((PARAGRAPH, (), " ".join(SENTENCES)))
    half, more = (cut(whole, 40, ChunkStrategy.RECURSIVE, overlap=size) for size in (20, 39))
    assert half == more


def test_a_chunk_names_the_pages_of_what_it_shares_too() -> None:
    first, second = (" ".join(SENTENCES[at : at + 4]) for at in (0, 4))
    text = f"{first}\n\n{second}"
    blocks = tuple(
        Block(span=Span(start=text.index(part), end=text.index(part) + len(part)), page=page)
        for page, part in enumerate((first, second), start=1)
    )
    whole = Document(id="d", source="s", title="t", text=text, language="en", blocks=blocks)
    chunks = cut(whole, 42, ChunkStrategy.RECURSIVE, overlap=10)
    assert [each.pages for each in chunks] == [(1,), (1, 2)]


def test_a_fingerprint_follows_what_chunks_depend_on_and_no_more() -> None:
    auto = Chunking(max_tokens=64, overlap=8)
    assert fingerprint(auto) == fingerprint(Chunking(max_tokens=64, overlap=16))
    prints = {
        fingerprint(Chunking(strategy=strategy, max_tokens=tokens, overlap=overlap))
        for strategy in (ChunkStrategy.AUTO, ChunkStrategy.RECURSIVE)
        for tokens in (64, 128)
        for overlap in (8, 16)
    }
    assert len(prints) == 6


CELLS = st.lists(st.sampled_from(["a", "中", "word ", "。", "|", ", "]), max_size=12).map("".join)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=9).map(
    lambda rows: "\n".join("| " + " | ".join(row) + " |" for row in rows)
)
HEADERS = st.sampled_from(["", f"{HEADER}\n", "| 问题 | 答案 |\n|---|---|\n", "a | b\n-|-\n"])
PROSE = st.lists(
    st.sampled_from(["a", "中文", "。", ". ", "，", "\n", "\n\n", " ", "word", "|", "# "]),
    max_size=60,
).map("".join)
PARTS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(list(BlockKind)),
            st.lists(st.sampled_from("AB"), max_size=2).map(tuple),
            PROSE,
        ),
        st.tuples(
            st.just(TABLE),
            st.lists(st.sampled_from("AB"), max_size=2).map(tuple),
            st.tuples(HEADERS, ROWS).map("".join),
        ),
    ),
    max_size=8,
)


@pytest.mark.parametrize("strategy", list(ChunkStrategy))
@settings(max_examples=50)
@given(parts=PARTS, maximum=st.integers(1, 60), overlap=st.integers(0, 40))
def test_the_chunks_of_any_document_are_exact_ordered_whole_and_small_enough(
    strategy: ChunkStrategy,
    parts: list[tuple[BlockKind, tuple[str, ...], str]],
    maximum: int,
    overlap: int,
) -> None:
    cut(made_of(*parts), maximum, strategy, overlap)


READ = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 3), st.sampled_from(["A", "## B", "一、总则"])),
        st.tuples(st.sampled_from([PARAGRAPH, LIST, CODE]), PROSE),
        st.tuples(st.just(TABLE), st.tuples(HEADERS, ROWS).map("".join)),
    ),
    min_size=1,
    max_size=10,
)


@pytest.mark.parametrize("strategy", list(ChunkStrategy))
@settings(max_examples=50)
@given(parts=READ, maximum=st.integers(4, 60))
def test_no_chunk_of_a_document_has_text_of_two_top_level_sections(
    strategy: ChunkStrategy, parts: list[tuple[int | BlockKind, str]], maximum: int
) -> None:
    builder = DocumentBuilder("s", "made")
    builder.add("Before all headings.")
    for kind, text in parts:
        if isinstance(kind, BlockKind):
            builder.add(text, kind)
        else:
            builder.heading(text, kind)
    whole = builder.build()
    for each in cut(whole, maximum, strategy, overlap=maximum // 4):
        inside = [
            block
            for block in whole.blocks
            if block.span.start < each.end and block.span.end > each.start
        ]
        begun = [block for block in inside if block.kind is HEADING and not block.heading]
        # A new top-level section begins a chunk, and there is no second one in it.
        assert len(begun) <= 1
        assert begun == inside[: len(begun)]


@pytest.mark.parametrize("strategy", list(ChunkStrategy))
@pytest.mark.parametrize("unit", ["a", "中", "a. ", "x\n", "y\n\n", "，", "| a | b |\n", "|-"])
def test_a_hostile_text_is_cut_in_time_by_every_strategy(
    strategy: ChunkStrategy, unit: str
) -> None:
    text = unit * 10_000
    kind = TABLE if "|" in unit else PARAGRAPH
    cut(made_of((kind, (), text)), 64, strategy, overlap=16)
