"""``wenqu log``, ``wenqu trace`` and ``wenqu replay``: answers that were given, and why."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wenqu import messages
from wenqu.cli.session import Exit, HomeOption, JsonOption, KbOption, Session, system_text
from wenqu.payloads import record_payload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wenqu.app import App
    from wenqu.pipeline.record import Difference
    from wenqu.types import AnswerRecord

__all__ = ["log", "replay", "trace"]

_SHOWN = 90
AnswerArgument = Annotated[str, typer.Argument(help=system_text("cli.argument.answer"))]


def log(  # one parameter an option
    context: typer.Context,
    kb: KbOption = None,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help=system_text("cli.log.top"))] = 20,
    forget: Annotated[bool, typer.Option("--forget", help=system_text("cli.log.forget"))] = False,
    json_output: Annotated[bool, typer.Option("--json", help=system_text("cli.log.json"))] = False,
    home: HomeOption = None,
) -> None:
    """List kept answers, newest first, or forget them."""
    session = Session.begin(context, home)
    if forget:
        session.note("cli.log.forgotten", count=session.run(lambda app: _forget(app, kb)))
        return

    async def work(app: App) -> Sequence[AnswerRecord]:
        return await app.answers.list(await app.bases.id_of(kb) if kb else None, top)

    records = session.run(work)
    if json_output:
        for record in reversed(records):
            sys.stdout.write(json.dumps(record_payload(record), ensure_ascii=False) + "\n")
        return
    if not records:
        session.note("cli.log.none")
        return
    _show_log(session, records)


def trace(
    context: typer.Context,
    name: AnswerArgument = "last",
    prompt: Annotated[bool, typer.Option("--prompt", help=system_text("cli.trace.prompt"))] = False,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show how an answer came about."""
    session = Session.begin(context, home)
    record = session.run(lambda app: app.answers.get(name))
    if json_output:
        session.print_json(record_payload(record))
    else:
        _show_trace(session, record, prompt=prompt)


def replay(
    context: typer.Context,
    name: AnswerArgument = "last",
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Answer again, and say what differs."""
    from wenqu.pipeline.record import differences

    session = Session.begin(context, home)
    before, after = session.run(lambda app: app.replay(name))
    found = differences(before, after)
    if json_output:
        shown = [{"part": one.part, "before": one.before, "after": one.after} for one in found]
        same = not found
        session.print_json({"id": before.id, "same": same, "differences": shown})
    elif found:
        _show_differences(session, found)
    else:
        session.note("cli.replay.same", id=before.id)
    if found:
        raise typer.Exit(Exit.DIFFERENT)


async def _forget(app: App, kb: str | None) -> int:
    return await app.answers.forget(await app.bases.id_of(kb) if kb else None)


def _show_log(session: Session, records: Sequence[AnswerRecord]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("id", "time", "kb", "outcome", "question"):
        last = column == "question"
        table.add_column(session.text(f"cli.log.{column}"), no_wrap=not last, overflow="fold")
    for record in records:
        # As text: a question may hold [what looks like markup].
        cells = (record.id, record.created_at[:16].replace("T", " "), record.kb_name)
        outcome = session.text(f"answer.outcome.{record.outcome}")
        table.add_row(*map(Text, (*cells, outcome, _one_line(record.question))))
    session.out.print(table)


def _show_trace(session: Session, record: AnswerRecord, *, prompt: bool) -> None:
    answer = record.data["answer"]
    _heading(session, record.question)
    said = session.text(
        "cli.trace.head",
        id=record.id,
        kb=record.kb_name,
        time=f"{record.created_at[:19].replace('T', ' ')} UTC",
        outcome=session.text(f"answer.outcome.{record.outcome}"),
        model=answer["model"] or session.text("cli.trace.no_model"),
    )
    session.out.print(said, style="dim", markup=False)
    _show_stages(session, record.data["stages"], prompt=prompt)
    if answer["hits"]:
        _heading(session, session.text("cli.trace.hits"))
        _show_hits(session, answer["hits"])
    if record.data["evidence"]:
        _heading(session, session.text("cli.trace.evidence"))
        for item in record.data["evidence"]:
            text = f"[{item['marker']}] {item['title']} · {item['document']}\n    {item['text']}"
            session.out.print(text, markup=False)
    _heading(session, session.text("cli.trace.answer"))
    session.out.print(answer["answer"], markup=False)
    for one in answer["citations"]:
        mark = "" if one["supported"] else session.text("cli.ask.unsupported")
        quote = _one_line(one["quote"])
        session.out.print(f"[{one['marker']}] “{quote}” {mark}", style="dim", markup=False)


def _show_stages(session: Session, stages: Sequence[Mapping[str, Any]], *, prompt: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    _heading(session, session.text("cli.trace.stages"))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for stage in stages:
        detail = {name: value for name, value in stage["detail"].items() if name != "prompt"}
        said = ", ".join(
            f"{name} {_short(_told(session, value))}" for name, value in detail.items()
        )
        if stage["skipped"]:
            said = session.text("cli.trace.skipped", reason=stage["skipped"])
        name = messages.stage(stage["name"], session.locale)
        table.add_row(Text(name), f"{stage['ms']:.1f} ms", Text(said))
    session.out.print(table)
    if prompt:
        for message in (m for stage in stages for m in stage["detail"].get("prompt", ())):
            _heading(session, message["role"])
            session.out.print(message["text"], markup=False)


def _show_hits(session: Session, hits: Sequence[Mapping[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    origins = list(dict.fromkeys(origin for hit in hits for origin in hit["scores"]))
    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right")
    for origin in origins:
        table.add_column(session.text(f"cli.search.{origin}"), justify="right")
    table.add_column(session.text("cli.trace.passage"), overflow="fold")
    for rank, hit in enumerate(hits, start=1):
        scores = [f"{hit['scores'][one]:.3f}" if one in hit["scores"] else "–" for one in origins]
        path = " › ".join(dict.fromkeys([hit["title"], *hit["heading"]]))
        table.add_row(str(rank), *scores, Text(f"{path}: {_one_line(hit['text'])}"))
    session.out.print(table)


def _show_differences(session: Session, found: Sequence[Difference]) -> None:
    import difflib

    from rich.text import Text

    for one in found:
        part, _, name = one.part.partition(".")
        _heading(session, session.text(f"cli.replay.{part}", name=name))
        before, after = one.before.splitlines(), one.after.splitlines()
        for line in difflib.unified_diff(before, after, n=0, lineterm=""):
            if line.startswith(("---", "+++", "@@")):
                continue
            style = "green" if line.startswith("+") else "red"
            session.out.print(Text(line, style=style))


def _heading(session: Session, text: str) -> None:
    session.out.print(text, style="bold", markup=False)


def _told(session: Session, value: object) -> object:
    """Return what a key of the catalogue says, such as the gate's reason; else the value."""
    told = str(value).startswith("gate.") and value in messages.catalogue()
    return session.text(str(value)) if told else value


def _short(value: object) -> str:
    return _one_line(str(round(value, 4) if isinstance(value, float) else value))


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
