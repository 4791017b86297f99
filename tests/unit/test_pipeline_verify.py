from __future__ import annotations

import asyncio

from wenqu.pipeline.evidence import select
from wenqu.pipeline.verify import verify
from wenqu.testing.embedder import FakeEmbedder
from wenqu.types import Chunk, Citation, DocumentInfo, Hit, Origin

LEAVE = "Employees get five days of leave each year. Requests are filed three days ahead."
VPN = "The VPN client comes from the portal. Bind a phone token at first login."


def hit(text: str, name: str) -> Hit:
    chunk = Chunk(id=name, document_id=name, text=text, start=7, end=7 + len(text))
    document = DocumentInfo(id=name, source=name, title=name, language="en")
    return Hit(chunk=chunk, document=document, score=1.0, origin=Origin.FUSED)


def verified(text: str, question: str = "leave?") -> tuple[str, list[Citation]]:
    async def run() -> tuple[str, list[Citation]]:
        embedder = FakeEmbedder()
        chosen = await select(question, [hit(LEAVE, "leave"), hit(VPN, "vpn")], embedder, 200)
        return await verify(text, chosen, embedder)

    return asyncio.run(run())


def test_an_answer_that_is_right_stays_as_it_is() -> None:
    text = "Requests are filed three days ahead. [1]"
    assert verified(text)[0] == text


def test_each_marker_of_a_sentence_is_judged_by_itself() -> None:
    _, citations = verified("Requests are filed three days ahead [1][2].")
    assert [(citation.marker, citation.supported) for citation in citations] == [
        (1, True),
        (2, False),
    ]


def test_a_quote_takes_in_the_neighbour_that_bears_out_the_rest() -> None:
    _, (citation,) = verified(
        "Get five days of leave each year, requests filed three days ahead [1]."
    )
    assert citation.quote == LEAVE
    assert (citation.span.start, citation.span.end) == (7, 7 + len(LEAVE))


def test_headings_and_lead_ins_are_left_without_markers() -> None:
    text, citations = verified("## Leave\n\nThe steps are:\n\nRequests are filed three days ahead.")
    assert text == "## Leave\n\nThe steps are:\n\nRequests are filed three days ahead [1]."
    assert len(citations) == 1


def test_an_unsupported_sentence_without_a_marker_stays_without_one() -> None:
    text = "Bananas are yellow."
    assert verified(text) == (text, [])


def test_an_answer_without_a_claim_has_no_citations() -> None:
    assert verified("……") == ("……", [])
