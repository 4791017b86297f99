from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from wenqu.pipeline.evidence import select
from wenqu.pipeline.levels import levelled
from wenqu.pipeline.verify import Checked, strict, verify
from wenqu.testing.embedder import FakeEmbedder
from wenqu.types import CheckedSentence, Chunk, Citation, DocumentInfo, Hit, Origin, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wenqu.types import Language

LEAVE = "Employees get five days of leave each year. Requests are filed three days ahead."
VPN = "The VPN client comes from the portal. Bind a phone token at first login."
FILED = "Requests are filed three days ahead"


def hit(text: str, name: str) -> Hit:
    chunk = Chunk(id=name, document_id=name, text=text, start=7, end=7 + len(text))
    document = DocumentInfo(id=name, source=name, title=name, language="en")
    return Hit(chunk=chunk, document=document, score=1.0, origin=Origin.FUSED)


def checked(text: str, *passages: str, question: str = "") -> Checked:
    async def run() -> Checked:
        embedder = FakeEmbedder()
        hits = [hit(passage, f"d{at}") for at, passage in enumerate(passages or (LEAVE, VPN))]
        chosen = await select(question or "leave?", hits, embedder, 200)
        return await verify(text, chosen, embedder, question)

    return asyncio.run(run())


def verified(text: str) -> tuple[str, list[Citation]]:
    found = checked(text)
    return found.text, list(found.citations)


def verdicts(text: str, *passages: str) -> list[bool | None]:
    return [sentence.supported for sentence in checked(text, *passages).sentences]


def test_an_answer_that_is_right_stays_as_it_is() -> None:
    text = f"{FILED}. [1]"
    assert verified(text)[0] == text


def test_of_a_sentence_s_markers_those_stay_that_are_borne_out() -> None:
    text, citations = verified(f"{FILED} [1][2].")
    assert text == f"{FILED} [1]."
    assert [(citation.marker, citation.supported) for citation in citations] == [(1, True)]


def test_a_wrong_marker_gives_way_to_the_source_that_supports_its_sentence() -> None:
    text, (citation,) = verified(f"{FILED} [2].")
    assert text == f"{FILED} [1]."
    assert citation.quote == f"{FILED}."


def test_a_source_that_says_it_clearly_better_takes_the_place_of_one_that_nearly_does() -> None:
    nearly = "Requests are filed three days late by post."
    found = checked(f"{FILED} [1].", nearly, LEAVE)
    assert found.text == f"{FILED} [2]."


def test_of_two_sources_that_bear_it_out_the_one_that_is_clearly_nearer_is_cited() -> None:
    album = "This record has the songs Planet and World among others. Its theme song is in English."
    song = "World is the theme song of the English series."
    found = checked("World is the theme song of the English series [1].", album, song)
    assert [citation.quote for citation in found.citations] == [song]


def test_numbers_from_two_sources_are_cited_from_both() -> None:
    one = "The old warehouse of the town holds 120 boxes of paper and 15 tables and 7 chairs."
    two = "The new warehouse was built in 1987."
    found = checked(f"{one[:-1]} since 1987 [1].", one, two)
    assert [citation.marker for citation in found.citations] == [1, 2]
    assert [sentence.supported for sentence in found.sentences] == [True]


def test_a_quote_takes_in_the_neighbour_that_bears_out_the_rest() -> None:
    _, (citation,) = verified(
        "Get five days of leave each year, requests filed three days ahead [1]."
    )
    assert citation.quote == LEAVE
    assert (citation.span.start, citation.span.end) == (7, 7 + len(LEAVE))


def test_a_quote_is_of_what_the_answer_adds_to_the_question() -> None:
    asked = "The final goal of the Apollo program was named early."
    added = "Possible missions included landings on the moon."
    found = checked(
        "The final goal of the Apollo program was landings on the moon [1].",
        f"{asked} Few people knew of it. {added}",
        question="What was the final goal of the Apollo program?",
    )
    assert [citation.quote for citation in found.citations] == [added]


def test_an_answer_that_cites_nothing_is_given_what_bears_it_out() -> None:
    forgotten = "Leave requests are filed three days before."
    assert verified(forgotten)[0] == "Leave requests are filed three days before [1]."
    beside = f"{forgotten} Bind a phone token at first login [2]."
    assert verified(beside)[0] == beside


def test_headings_and_lead_ins_are_left_without_markers() -> None:
    text = f"## Leave\n\nThe steps are:\n\n{FILED}."
    found = checked(text)
    assert found.text == f"## Leave\n\nThe steps are:\n\n{FILED} [1]."
    assert [sentence.supported for sentence in found.sentences] == [None, None, True]


def test_an_unsupported_sentence_without_a_marker_is_marked_unsupported() -> None:
    text = "Bananas are yellow."
    found = checked(text)
    assert (found.text, found.citations) == (text, ())
    assert [sentence.supported for sentence in found.sentences] == [False]
    assert not found.holds


def test_each_sentence_says_where_it_stands_in_the_answer_with_its_markers() -> None:
    found = checked(f"{FILED}. [1] Bananas are yellow [2].\n\nThe documents do not say more.")
    spans = [found.text[one.span.start : one.span.end] for one in found.sentences]
    assert spans == [f"{FILED}. [1]", "Bananas are yellow [2].", "The documents do not say more."]
    assert [one.markers for one in found.sentences] == [(1,), (2,), ()]


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("Requests are filed four days ahead [1].", ("four",)),
        ("Requests are filed 3 days ahead [1].", ()),
        ("Employees get 5 days of leave each year since 2019 [1].", ("2019",)),
    ],
)
def test_a_number_in_no_evidence_makes_a_sentence_unsupported_however_alike_the_rest_is(
    said: str, missing: tuple[str, ...]
) -> None:
    (sentence,) = checked(said).sentences
    assert sentence.missing == missing
    assert sentence.supported is not bool(missing)
    assert all(citation.supported is not bool(missing) for citation in checked(said).citations)


TWO_NUMBERS = (
    "Each employee of the firm may take five days of leave a year. The firm was founded in Lyon."
    " It has offices in eight days."
)


def test_a_number_that_stands_elsewhere_does_not_bear_out_another_place_s() -> None:
    said = "Each employee of the firm may take eight days of leave a year [1]."
    (sentence,) = checked(said, TWO_NUMBERS).sentences
    assert (sentence.supported, sentence.missing) == (False, ("eight",))
    (sentence,) = checked(said.replace("eight", "5"), TWO_NUMBERS).sentences
    assert (sentence.supported, sentence.missing) == (True, ())


def test_how_many_were_asked_for_needs_no_evidence_where_as_many_are_listed() -> None:
    passage = "Advisers such as Liu and Yao served the khan at his court."
    said = "Two advisers such as Liu and Yao served the khan at his court [1]."
    (sentence,) = checked(said, passage, question="Who were two advisers?").sentences
    assert sentence.supported
    (sentence,) = checked(said, passage, question="Who were the advisers?").sentences
    assert not sentence.supported
    said = said.replace("Two", "Three")
    (sentence,) = checked(said, passage, question="Who were three advisers?").sentences
    assert not sentence.supported


CLAIM = "Leave can be kept until next year [1]."
ASKED = "Can leave be kept until next year?"


@pytest.mark.parametrize(
    "passage",
    [
        ASKED,
        f"- {ASKED}\n- How are rooms booked?\n\nAsk anything of the kind.",
        f'It looks things up, say "{ASKED}" and others.',
    ],
)
def test_a_question_bears_nothing_out(passage: str) -> None:
    assert verdicts(CLAIM, passage) == [False]


def test_the_rule_is_cited_and_not_the_page_that_asks_the_same() -> None:
    rule = "Leave can be kept until March of next year."
    found = checked(CLAIM, f'Look things up, say "{ASKED}" and others.', rule)
    assert [citation.quote for citation in found.citations] == [rule]


@pytest.mark.parametrize("gap", ["\n", "\n\n", " "])
def test_a_question_with_its_answer_bears_out_what_both_say(gap: str) -> None:
    (citation,) = checked(CLAIM, f"{ASKED}{gap}Yes, all of it, to be used by March.").citations
    assert citation.supported
    assert "Yes, all of it" in citation.quote


def test_a_name_in_no_evidence_is_flagged_and_no_more() -> None:
    (sentence,) = checked("Employees get five days of leave each year from Acme [1].").sentences
    assert (sentence.supported, sentence.missing) == (True, ("Acme",))


def test_a_sentence_that_says_the_documents_are_silent_needs_no_citation() -> None:
    found = checked(f"The documents do not mention sick leave [2]. {FILED} [1].")
    assert found.text == f"The documents do not mention sick leave. {FILED} [1]."
    assert found.abstained
    assert [sentence.supported for sentence in found.sentences] == [None, True]


def test_an_answer_without_a_claim_has_no_citations() -> None:
    found = checked("……")
    assert (found.text, found.citations, found.holds) == ("……", (), False)


def test_strict_leaves_out_what_is_not_borne_out_and_its_citations() -> None:
    found = strict(
        checked(f"{FILED} [1]. Bananas are yellow [2]. Bind a phone token at first login.")
    )
    assert found.text == f"{FILED} [1]. Bind a phone token at first login [2]."
    assert [citation.marker for citation in found.citations] == [1, 2]
    spans = [found.text[one.span.start : one.span.end] for one in found.sentences]
    assert spans == [f"{FILED} [1].", "Bind a phone token at first login [2]."]


def test_strict_keeps_an_answer_that_holds_as_it_is() -> None:
    found = checked(f"## Leave\n\n{FILED}. [1]")
    assert strict(found) == found


def test_strict_takes_headings_and_lead_ins_with_the_last_of_what_they_announce() -> None:
    fruit = "## Fruit\n\nFacts:\n\n- Bananas are yellow.\n\n"
    text = f"{fruit}## Leave\n\n- Grapes are green.\n- {FILED}."
    assert strict(checked(text)).text == f"## Leave\n\n- {FILED} [1]."


def test_strict_keeps_that_the_documents_are_silent() -> None:
    text = f"{FILED} [1].\nThe documents do not mention sick leave.\nBananas are yellow."
    assert strict(checked(text)).text == (f"{FILED} [1].\nThe documents do not mention sick leave.")


def test_strict_leaves_nothing_of_an_answer_that_nothing_bears_out() -> None:
    found = strict(checked("Steps:\n\nBananas are yellow. Grapes are green [1]."))
    assert (found.text, found.citations, found.sentences) == ("", (), ())


def test_what_strict_was_given_is_counted() -> None:
    sentence = CheckedSentence(span=Span(start=0, end=1), text="x", supported=False)
    assert Checked(text="x", sentences=(sentence,)).unsupported == 1


def test_levelled_vectors_differ_by_what_they_do_not_share() -> None:
    mean = np.array([0.8, 0, 0], np.float32)
    found = levelled(np.array([[0.8, 0.6, 0], [0.8, 0, -0.6], [0, 0, 0]], np.float32), mean)
    assert found.tolist() == [[0, 1, 0], [0, 0, -1], [0, 0, 0]]


def test_typical_questions_change_nothing_where_the_languages_are_the_same() -> None:
    async def run(typical: dict[Language, NDArray[np.float32]]) -> Checked:
        embedder = FakeEmbedder()
        chosen = await select("leave?", [hit(LEAVE, "d0"), hit(VPN, "d1")], embedder, 200)
        return await verify(f"{FILED} [2]. Five days each year [1].", chosen, embedder, "", typical)

    means = np.random.default_rng(1).normal(size=(2, 64)).astype(np.float32)
    assert asyncio.run(run({"zh": means[0], "en": means[1]})) == asyncio.run(run({}))
