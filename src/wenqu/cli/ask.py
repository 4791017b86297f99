"""``wenqu ask``: sources first, then the answer as it is written, then what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.options import AskOptions
from wenqu.payloads import answer_payload
from wenqu.types import Answer, AnswerFinished, AnswerText, EvidenceFound, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.app import App
    from wenqu.cli.session import Session
    from wenqu.types import Citation, Evidence, Hit

__all__ = ["ask_question", "show_citations", "show_end", "show_event"]


def ask_question(
    session: Session, kb: str | None, question: str, *, use_llm: bool, as_json: bool
) -> None:
    """Ask, and show the answer as text while it is written, or as JSON at its end."""
    streamed: list[str] = []

    async def work(app: App) -> Answer | None:
        if use_llm and app.chat_model() is None and not as_json:
            session.note("cli.ask.no_model")
        answer = None
        async for event in app.ask(kb, question, AskOptions(use_llm=use_llm)):
            if isinstance(event, AnswerFinished):
                answer = event.answer
            elif not as_json:
                show_event(session, event)
                if isinstance(event, AnswerText):
                    streamed.append(event.text)
        return answer

    answer = session.run(work)
    if answer is None:
        return
    if as_json:
        session.print_json(answer_payload(answer))
    else:
        show_end(session, answer, "".join(streamed))


def show_event(session: Session, event: EvidenceFound | AnswerText) -> None:
    """Show sources as they are found, or a piece of text as it is written."""
    out = session.out
    if isinstance(event, AnswerText):
        out.print(event.text, end="", markup=False)
        out.file.flush()
    elif event.evidence:
        out.print(session.text("cli.ask.sources"), style="bold")
        for evidence in event.evidence:
            out.print(_source_line(session, evidence), style="dim", markup=False)
        out.print()


def _source_line(session: Session, evidence: Evidence) -> str:
    return f"[{evidence.marker}] {_place(session, evidence.hit, evidence.hit.chunk.page)}"


def _place(session: Session, hit: Hit, page: int | None) -> str:
    """Title › heading path, page, source."""
    path = [hit.document.title, *(part for part in hit.chunk.heading if part != hit.document.title)]
    parts = [" › ".join(path)]
    if page is not None:
        parts.append(session.text("cli.ask.page", page=page))
    return " · ".join([*parts, hit.document.source])


def show_end(session: Session, answer: Answer, streamed: str) -> None:
    """Show what is left to be said of an answer whose text was ``streamed``."""
    out = session.out
    if answer.text.strip() != streamed.strip():
        # A refusal has not been streamed; in an answer the check has set markers right.
        if streamed:
            out.print(f"\n\n{session.text('cli.ask.checked')}", style="bold")
        out.print(answer.text, markup=False)
    elif streamed:
        out.print()
    if answer.outcome is not Outcome.ANSWERED:
        return
    out.print()
    show_citations(session, answer.citations)
    for stage in answer.trace.stages:
        if stage.skipped:
            session.note("cli.ask.skipped", stage=stage.name, reason=stage.skipped)


def show_citations(session: Session, citations: Sequence[Citation]) -> None:
    """Show what each marker points at, word for word."""
    out = session.out
    if citations:
        out.print(session.text("cli.ask.citations"), style="bold")
    for citation in citations:
        place = _place(session, citation.hit, citation.page)
        out.print(f"[{citation.marker}] {place}", markup=False)
        mark = "" if citation.supported else session.text("cli.ask.unsupported")
        quote = " ".join(citation.quote.split())
        out.print(f"    “{quote}” {mark}".rstrip(), style="dim", markup=False)
