"""The work of ``wenqu eval``: measuring, and showing what was measured before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from wenqu.cli.progress import Bar
from wenqu.cli.session import Exit
from wenqu.errors import InputError
from wenqu.types import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from wenqu.app import App
    from wenqu.app_measuring import DraftOptions, EvalOptions
    from wenqu.cli.session import Session
    from wenqu.evaluation.compare import Change, Comparison
    from wenqu.evaluation.record import EvalRecord
    from wenqu.evaluation.report import AnswerSummary, EvalReport
    from wenqu.evaluation.statistics import Interval
    from wenqu.evaluation.suite import Step, Suite

__all__ = [
    "Wanted",
    "compare_saved",
    "evaluate_all",
    "evaluate_targets",
    "list_saved",
    "make_questions",
    "report_saved",
    "show_saved",
]

_SHOWN = 60
_SIGNIFICANT = 0.05
_ZERO = re.compile(r"(?<!\d)0\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is wanted of a measurement beside the measuring."""

    kb: str | None
    report: Path | None
    fail_under: tuple[str, ...]
    as_json: bool


def evaluate_targets(
    session: Session, targets: Sequence[Path], how: EvalOptions, wanted: Wanted
) -> None:
    """Measure data sets, or a knowledge base on a file of questions, and show the figures."""
    from wenqu.evaluation.report import EvalReport

    floors = [_floor(text) for text in wanted.fail_under]

    async def work(app: App) -> list[EvalRecord]:
        with Bar(session.err, "") as bar:
            tell = _telling(session, bar)
            records = []
            for target in targets:
                if wanted.kb is not None or target.is_file():
                    base = await app.base(wanted.kb)
                    record = await app.measuring.evaluate_questions(
                        base, target, how, on_progress=tell
                    )
                else:
                    record = await app.measuring.evaluate(target, how, on_progress=tell)
                records.append(app.measuring.runs.save(record))
            return records

    reports = [EvalReport(record) for record in session.run(work)]
    if wanted.as_json:
        payloads = [report.to_json() for report in reports]
        session.print_json(payloads[0] if len(payloads) == 1 else payloads)
    else:
        for report in reports:
            _show(session, report)
            session.note("cli.eval.saved", name=report.record.name)
    if wanted.report is not None:
        _write_report(session, [report.record for report in reports], wanted.report)
    _check_floors(session, reports, floors)


def evaluate_all(  # what the command line says
    session: Session,
    folders: Sequence[Path],
    out: Path,
    suite: Suite,
    *,
    again: bool,
    as_json: bool,
) -> None:
    """Measure every data set below folders, as far as that was not done yet; write a report."""
    from wenqu.evaluation.report import EvalReport

    async def work(app: App) -> list[EvalRecord]:
        with Bar(session.err, "") as bar:
            tell = _telling(session, bar)

            def on_step(number: int, of: int, step: Step) -> None:
                bar.print(session.text("cli.eval.step", number=number, of=of, name=step.name))

            return await app.measuring.evaluate_all(
                folders, suite, again=again, on_step=on_step, on_progress=tell
            )

    runs = session.run(work)
    if as_json:
        session.print_json([EvalReport(run).to_json() for run in runs])
    _write_report(session, runs, out)


def list_saved(session: Session, *, as_json: bool) -> None:
    """Show the saved runs, oldest first."""
    from wenqu.evaluation.report import EvalReport

    async def work(app: App) -> Sequence[EvalRecord]:
        return app.measuring.runs.all()

    runs = session.run(work)
    if as_json:
        session.print_json([_listed(run) for run in runs])
        return
    if not runs:
        session.note("cli.eval.none")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for key in ("name_column", "date", "queries"):
        table.add_column(session.text(f"cli.eval.{key}"))
    for column in ("recall@1", "nDCG@10"):
        table.add_column(column, justify="right")
    for run in runs:
        figures = EvalReport(run).flat()
        cells = [f"{figures[name]:.3f}" if name in figures else "–" for name in _LISTED]
        table.add_row(run.name, f"{run.date:%Y-%m-%d %H:%M}", str(len(run.queries)), *cells)
    session.out.print(table)


_LISTED = ("recall@1", "nDCG@10")


def show_saved(session: Session, name: str, *, worst: int, as_json: bool) -> None:
    """Show a saved run, and the questions that were served worst."""
    from wenqu.evaluation.report import EvalReport

    async def work(app: App) -> EvalRecord:
        return app.measuring.runs.load(name)

    report = EvalReport(session.run(work))
    if as_json:
        payload = report.to_json()
        if worst:
            payload["worst"] = [query.model_dump(mode="json") for query in report.worst(worst)]
        session.print_json(payload)
        return
    _show(session, report)
    for query in report.worst(worst):
        session.out.print(f"\n{query.id}: {query.text}", style="bold", markup=False)
        wanted = ", ".join(one.title or one.source for one in query.wanted)
        session.out.print(f"  + {wanted}", markup=False)
        for one in query.found:
            session.out.print(f"  - {one.title or one.source}: {one.text}", markup=False)


def report_saved(session: Session, names: Sequence[str], out: Path) -> None:
    """Write an HTML report of saved runs."""

    async def work(app: App) -> list[EvalRecord]:
        return [app.measuring.runs.load(name) for name in names]

    _write_report(session, session.run(work), out)


def compare_saved(session: Session, first: str, second: str, *, as_json: bool) -> None:
    """Show whether the second run is better than the first, and on which questions."""
    from wenqu.evaluation.compare import compare

    async def work(app: App) -> Comparison:
        (before, its), (after, others) = _ranking(first), _ranking(second)
        load = app.measuring.runs.load
        return compare(load(before), load(after), (its, others))

    found = session.run(work)
    if as_json:
        session.print_json(found.to_json())
        return
    _show_comparison(session, found)


def make_questions(
    session: Session, kb: str | None, out: Path, how: DraftOptions, *, as_json: bool
) -> None:
    """Draft questions from the documents of a knowledge base, for a person to accept."""
    from wenqu.evaluation.draft import Draft, ensure_new, write_drafts

    async def work(app: App) -> Sequence[Draft]:
        ensure_new(out)
        base = await app.base(kb)
        with Bar(session.err, session.text("cli.eval.drafting")) as bar:
            drafts = await app.measuring.draft(base, how, on_progress=bar.update)
        write_drafts(out, drafts)
        return drafts

    drafts = session.run(work)
    if as_json:
        session.print_json([draft.to_json() for draft in drafts])
        return
    session.note("cli.eval.made", number=len(drafts), path=out)
    session.note("cli.eval.accept")


def _telling(session: Session, bar: Bar) -> Callable[[str, int, int], None]:
    def tell(phase: str, done: int, total: int) -> None:
        bar.update(done, total, session.text(f"cli.eval.{phase}"))

    return tell


def _show(session: Session, report: EvalReport) -> None:
    from rich.table import Table

    record = report.record
    title = session.text(
        "cli.eval.title",
        dataset=record.dataset,
        documents=record.documents,
        queries=len(record.judged) or len(record.queries),
    )
    session.out.print(title, style="bold", markup=False)
    retrieval = report.retrieval()
    if retrieval:
        from wenqu.evaluation.metrics import METRICS

        table = Table(box=None, pad_edge=False)
        for column in ("", *METRICS, "ms"):
            table.add_column(column, justify="right" if column else "left", no_wrap=True)
        for origin, metrics in retrieval.items():
            ms = report.ms(origin)
            figures = [_with_margin(metrics[name]) for name in METRICS]
            table.add_row(origin.value, *figures, f"{sum(ms) / len(ms):.1f}")
        session.out.print(table)
        session.out.print(session.text("cli.eval.margin"), style="dim", markup=False)
    _show_figures(session, "cli.eval.refusal", report.refusal())
    if (answers := report.answers()) is not None:
        _show_answers(session, answers)


def _with_margin(one: Interval) -> str:
    return _short(f"{one.mean:.3f} ±{(one.high - one.low) / 2:.3f}")


def _show_figures(session: Session, key: str, figures: Mapping[str, Interval]) -> None:
    if not figures:
        return
    session.out.print(f"\n{session.text(key)}", style="bold", markup=False)
    for name, one in figures.items():
        session.out.print(
            f"  {name:<20} {one.mean:.4f}  [{one.low:.4f}, {one.high:.4f}]  n={one.n}",
            markup=False,
        )


def _show_answers(session: Session, answers: AnswerSummary) -> None:
    also = {"right": answers.right, "grounded": answers.grounded}
    figures = {**answers.values, **{name: one for name, one in also.items() if one is not None}}
    _show_figures(session, "cli.eval.answered", figures)
    _show_figures(session, "cli.eval.citations", answers.citations)
    for key, outcomes in (
        ("cli.eval.outcomes", answers.outcomes),
        ("cli.eval.outcomes_unanswerable", answers.false_outcomes),
    ):
        if outcomes:
            counts = [
                f"{session.text(f'answer.outcome.{one.value}')} {count}"
                for one, count in outcomes.items()
            ]
            session.show_field(f"\n{session.text(key)}", ", ".join(counts))
    session.out.print(
        session.text("cli.eval.answer_ms", p50=round(answers.ms_p50), p95=round(answers.ms_p95)),
        markup=False,
    )


def _show_comparison(session: Session, found: Comparison) -> None:
    from rich.table import Table

    session.out.print(
        session.text("cli.eval.compare.title", first=found.first, second=found.second),
        style="bold",
        markup=False,
    )
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for key in ("metric", "before", "after", "difference", "interval", "p", "moved"):
        heading = session.text(f"cli.eval.compare.{key}")
        table.add_column(heading, justify="left" if key == "metric" else "right", no_wrap=True)
    for name, one in found.metrics.items():
        table.add_row(
            name,
            _short(f"{one.first:.3f}"),
            _short(f"{one.second:.3f}"),
            _short(f"{one.difference:+.3f}"),
            _short(f"{one.low:+.3f}…{one.high:+.3f}"),
            _short(f"{one.p:.3f}{'*' if one.p < _SIGNIFICANT else ''}"),
            f"+{one.better}−{one.worse}/{one.n}",
        )
    session.out.print(table)
    _show_changes(session, "cli.eval.compare.better", found.better)
    _show_changes(session, "cli.eval.compare.worse", found.worse)


def _short(figures: str) -> str:
    """Return figures below 1 without their zero, so that a row has room on a terminal."""
    return _ZERO.sub(".", figures)


def _show_changes(session: Session, key: str, changes: Sequence[Change]) -> None:
    if changes:
        session.out.print(f"\n{session.text(key)}", style="bold", markup=False)
    for one in changes:
        text = one.text[:_SHOWN]
        session.out.print(f"  {one.first:.3f} → {one.second:.3f}  {one.id}  {text}", markup=False)


def _write_report(session: Session, runs: Sequence[EvalRecord], path: Path) -> None:
    from wenqu.evaluation.html import report_page

    page = report_page(runs, session.locale)
    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        _leave(session, InputError("error.cannot_write", path=path, reason=error.strerror))
    session.note("cli.eval.wrote", path=path)


def _floor(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise typer.BadParameter(text, param_hint="--fail-under") from None


def _check_floors(
    session: Session, reports: Sequence[EvalReport], floors: Sequence[tuple[str, float]]
) -> None:
    """Leave with an exit code of its own where a figure is below its floor."""
    below = False
    for report in reports if floors else ():
        figures = report.flat()
        for name, floor in floors:
            if name not in figures:
                known = ", ".join(sorted(figures))
                _leave(session, InputError("error.eval_figure", name=name, known=known))
            if figures[name] < floor:
                below = True
                session.note(
                    "cli.eval.below",
                    dataset=report.record.dataset,
                    name=name,
                    value=f"{figures[name]:.4f}",
                    floor=f"{floor:g}",
                )
    if below:
        raise typer.Exit(Exit.BELOW)


def _leave(session: Session, error: InputError) -> None:
    from wenqu.cli.session import fail

    fail(error, session.locale)


def _ranking(text: str) -> tuple[str, Origin | None]:
    """Split ``RUN:lexical`` into the run and whose ranking of it is meant."""
    name, colon, origin = text.rpartition(":")
    if colon and origin in set(Origin):
        return name, Origin(origin)
    return text, None


def _listed(run: EvalRecord) -> dict[str, object]:
    from wenqu.evaluation.report import EvalReport

    return {
        "name": run.name,
        "date": run.date.isoformat(),
        "dataset": run.dataset,
        "knowledge_base": run.knowledge_base,
        "queries": len(run.queries),
        "figures": {name: round(value, 4) for name, value in EvalReport(run).flat().items()},
    }
