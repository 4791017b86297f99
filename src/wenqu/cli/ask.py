"""``wenqu ask``: sources first, then the answer as it is written, then what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.cli.filters import (
    FolderOption,
    SinceOption,
    SourceOption,
    TagOption,
    TitleOption,
    UntilOption,
    search_filter,
)
from wenqu.cli.session import HomeOption, JsonOption, KbOption, Session, system_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.app import App
    from wenqu.types import Answer, AnswerText, Citation, Evidence, EvidenceFound, Hit

__all__ = ["ask", "show_citations", "show_end", "show_event"]


def ask(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    question: Annotated[str, typer.Argument(help=system_text("cli.ask.question"))],
    kb: KbOption = None,
    llm: Annotated[bool, typer.Option("--llm/--no-llm", help=system_text("cli.ask.llm"))] = True,
    strict: Annotated[bool, typer.Option("--strict", help=system_text("cli.ask.strict"))] = False,
    source: SourceOption = None,
    folder: FolderOption = None,
    title: TitleOption = None,
    tag: TagOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    wordings: Annotated[
        int, typer.Option("--wordings", min=0, max=4, help=system_text("cli.ask.wordings"))
    ] = 0,
    imagine: Annotated[
        bool, typer.Option("--imagine", help=system_text("cli.ask.imagine"))
    ] = False,
    split: Annotated[bool, typer.Option("--split", help=system_text("cli.ask.split"))] = False,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Ask, and show the answer as text while it is written, or as JSON at its end."""
    from wenqu.options import AskOptions
    from wenqu.payloads import answer_payload
    from wenqu.types import AnswerFinished, AnswerText, EvidenceFound

    how = AskOptions(
        use_llm=llm,
        strict=strict,
        where=search_filter(
            source=source, folder=folder, title=title, tag=tag, since=since, until=until
        ),
        wordings=wordings,
        imagine=imagine,
        split=split,
    )
    session = Session.begin(context, home)
    streamed: list[str] = []

    async def work(app: App) -> Answer | None:
        answer = None
        async for event in app.ask(kb, question, how):
            if isinstance(event, AnswerFinished):
                answer = event.answer
            elif not json_output:
                if llm and isinstance(event, EvidenceFound) and event.evidence:
                    _say_who_writes(session, app)
                show_event(session, event)
                if isinstance(event, AnswerText):
                    streamed.append(event.text)
        return answer

    answer = session.run(work)
    if answer is None:
        return
    if json_output:
        session.print_json(answer_payload(answer))
    else:
        show_end(session, answer, "".join(streamed))


def _say_who_writes(session: Session, app: App) -> None:
    if app.chat_model() is None:
        session.note("cli.ask.no_model")


def show_event(session: Session, event: EvidenceFound | AnswerText) -> None:
    """Show sources as they are found, or a piece of text as it is written."""
    from wenqu.types import AnswerText

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
    from wenqu.types import Outcome

    out = session.out
    if answer.text.strip() != streamed.strip():
        # A refusal has not been streamed; in an answer the check has set markers right.
        if streamed:
            out.print(f"\n\n{session.text('cli.ask.checked')}", style="bold")
        out.print(answer.text, markup=False)
    elif streamed:
        out.print()
    if answer.outcome is Outcome.ANSWERED:
        out.print()
        show_citations(session, answer.citations)
        for sentence in answer.sentences:
            if sentence.supported is False and not sentence.markers:
                session.note("cli.ask.unconfirmed", text=" ".join(sentence.text.split()))
    for stage in answer.trace.stages:
        if stage.skipped:
            session.note_skipped(stage)
    if answer.id is not None:
        session.note("cli.ask.traced", id=answer.id)


def show_citations(session: Session, citations: Sequence[Citation]) -> None:
    """Show what each marker points at, word for word; quotes of one place stand below it."""
    out, last = session.out, ""
    if citations:
        out.print(session.text("cli.ask.citations"), style="bold")
    for citation in citations:
        place = f"[{citation.marker}] {_place(session, citation.hit, citation.page)}"
        if place != last:
            out.print(place, markup=False)
        last = place
        mark = "" if citation.supported else session.text("cli.ask.unsupported")
        quote = " ".join(citation.quote.split())
        out.print(f"    “{quote}” {mark}".rstrip(), style="dim", markup=False)
