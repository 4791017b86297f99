"""``wenqu gate``: fit the gate of a knowledge base, and see why it decides as it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from wenqu.cli.deferred import Group
from wenqu.cli.session import HomeOption, JsonOption, KbOption, Session, system_text
from wenqu.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from wenqu.app import App
    from wenqu.app_gating import GateTest
    from wenqu.evaluation.calibrate import Calibration
    from wenqu.evaluation.refusal import RefusalMetrics
    from wenqu.pipeline.gate import Gate
    from wenqu.pipeline.gate_model import Logistic

__all__ = ["app"]

app = Group("cli.gate.help")

_PLOTS = (".png", ".html", ".svg")
_SHOWN_POINTS = 11
_SHOWN_MISTAKES = 5
_SHOWN_HITS = 3


@app.command(help=system_text("cli.gate.fit.help"))
def fit(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    accept: Annotated[Path, typer.Argument(help=system_text("cli.gate.fit.accept"))],
    reject: Annotated[Path, typer.Argument(help=system_text("cli.gate.fit.reject"))],
    kb: KbOption = None,
    keep: Annotated[
        float | None,
        typer.Option(
            "--keep", min=0.5, max=1.0, help=system_text("cli.gate.fit.keep"), show_default=False
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help=system_text("cli.gate.fit.plot"), show_default=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=system_text("cli.gate.fit.dry_run"))
    ] = False,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Fit the gate from examples, and say how good it is."""
    from wenqu.cli.progress import Bar

    session = Session.begin(context, home)

    async def work(app: App) -> tuple[str, Calibration]:
        from wenqu.app_gating import Gating

        if plot is not None and plot.suffix.lower() not in _PLOTS:
            raise InputError("error.gate_plot", path=plot, kinds=", ".join(_PLOTS))
        questions = _questions(accept), _questions(reject)
        base = await app.base(kb)
        with Bar(session.err, "") as bar:
            found = await Gating(app).fit(
                base.id,
                *questions,
                keep=keep,
                store=not dry_run,
                on_progress=lambda done, of: bar.update(done, of, session.text("cli.gate.asking")),
            )
        if plot is not None:
            from wenqu.evaluation.gate_report import write_plot

            write_plot(plot, found, base.name, session.locale)
        return base.name, found

    name, found = session.run(work)
    if json_output:
        session.print_json({"kb": name, "stored": not dry_run, **found.to_json()})
        return
    _show_calibration(session, found)
    session.note("cli.gate.fit.dry" if dry_run else "cli.gate.fit.stored", kb=name)
    if plot is not None:
        session.note("cli.gate.fit.plotted", path=plot)


@app.command("test", help=system_text("cli.gate.test.help"))
def explain(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help=system_text("cli.ask.question"))],
    kb: KbOption = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Explain what the gate says of a question."""
    session = Session.begin(context, home)

    async def work(app: App) -> GateTest:
        from wenqu.app_gating import Gating

        return await Gating(app).test(await app.base_id(kb), question)

    tested = session.run(work)
    if json_output:
        session.print_json(_test_payload(session, question, tested))
        return
    _show_test(session, tested)


@app.command(help=system_text("cli.gate.show.help"))
def show(
    context: typer.Context,
    kb: KbOption = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show the gate of a knowledge base."""
    session = Session.begin(context, home)

    async def work(app: App) -> Gate:
        return await app.gate(await app.base_id(kb))

    gate = session.run(work)
    if json_output:
        session.print_json(
            {
                "fitted": gate.fitted,
                "note": gate.note and session.text(gate.note),
                "about": dict(gate.about),
                "model": gate.model.to_data(),
            }
        )
        return
    session.out.print(session.text(gate.note or "gate.shipped"), markup=False)
    for name in ("own", "foreign"):
        session.out.print(session.text(f"cli.gate.{name}"), style="bold", markup=False)
        _show_weights(session, getattr(gate.model, name))


@app.command(help=system_text("cli.gate.reset.help"))
def reset(context: typer.Context, kb: KbOption = None, home: HomeOption = None) -> None:
    """Forget the fitted gate."""
    session = Session.begin(context, home)

    async def work(app: App) -> bool:
        from wenqu.app_gating import Gating

        return await Gating(app).reset(await app.base_id(kb))

    session.note("cli.gate.reset.done" if session.run(work) else "cli.gate.reset.none")


def _questions(path: Path) -> list[str]:
    """Return the questions of a file: a JSON list of texts, or one a line.

    Raises:
        NotFoundError: There is no such file.
        InputError: It cannot be read, or holds no question.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise NotFoundError("error.path_missing", path=path) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("error.gate_file", path=path, reason=error) from error
    lines = _listed(path, text) if text.lstrip().startswith("[") else text.splitlines()
    questions = [line.strip() for line in lines if line.strip()]
    if not questions:
        _unusable(path, "empty")
    return questions


def _listed(path: Path, text: str) -> list[str]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("error.gate_file", path=path, reason=error) from error
    if not all(isinstance(row, str) for row in rows):
        _unusable(path, "not a list of texts")
    return list(rows)


def _unusable(path: Path, reason: str) -> NoReturn:
    raise InputError("error.gate_file", path=path, reason=reason)


def _show_calibration(session: Session, found: Calibration) -> None:
    from rich.table import Table

    out = session.out
    for key in ("questions", "ridge"):
        out.print(session.text(f"cli.gate.fit.{key}", **found.about()), markup=False)
    table = Table(box=None, pad_edge=False)
    for column in ("", *_COLUMNS):
        title = session.text(f"cli.gate.column.{column}") if column else ""
        table.add_column(title, justify="right" if column else "left", no_wrap=not column)
    for name in ("fitted", "shipped", "similarity"):
        row = _metrics_row(getattr(found, name))
        table.add_row(session.text(f"cli.gate.row.{name}"), *row)
    out.print(table)
    curve = Table(box=None, pad_edge=False)
    for column in ("threshold", "precision", "recall", "f1", "refusal_recall"):
        curve.add_column(session.text(f"cli.gate.column.{column}"), justify="right")
    for point in found.shown_points(_SHOWN_POINTS):
        values = (point.threshold, point.precision, point.recall, point.f1, point.refusal_recall)
        curve.add_row(*(f"{value:.3f}" for value in values))
    out.print(curve)
    why = "cli.gate.fit.why_f1" if found.keep is None else "cli.gate.fit.why_keep"
    out.print(session.text(why, threshold=f"{found.threshold:.3f}", keep=found.keep), markup=False)
    for example, probability in found.mistakes[:_SHOWN_MISTAKES]:
        key = "cli.gate.fit.missed" if example.accept else "cli.gate.fit.passed"
        said = session.text(key, question=example.question, probability=f"{probability:.2f}")
        out.print(said, style="dim", markup=False)


_COLUMNS = ("auc", "f1", "precision", "recall", "refusal_recall", "refusal_f1")


def _metrics_row(metrics: RefusalMetrics) -> list[str]:
    values = metrics.to_json()
    names = {"f1": "answer_f1", "precision": "answer_precision", "recall": "answer_recall"}
    return [f"{values[names.get(name, name)]:.3f}" for name in _COLUMNS]


def _show_weights(session: Session, judge: Logistic) -> None:
    for name, weight in judge.weights.items():
        label = session.text(f"cli.gate.feature.{name}")
        typical = judge.typical.get(name, 0.0)
        session.show_field(f"  {label}", f"{weight:+.2f} × (x - {typical:.3f})")
    session.out.print(
        session.text(
            "cli.gate.bias", bias=f"{judge.bias:+.2f}", threshold=f"{judge.threshold:.3f}"
        ),
        markup=False,
    )


def _test_payload(session: Session, question: str, tested: GateTest) -> dict[str, object]:
    decision, gate = tested.decision, tested.gate
    judge = gate.model.judge(decision.features) if decision.features else None
    contributions = judge.contributions(decision.features) if judge else {}
    return {
        "question": question,
        "outcome": decision.outcome,
        "why": _why(session, tested),
        "probability": round(decision.probability, 4),
        "threshold": round(decision.threshold, 4),
        "fitted": gate.fitted,
        "note": gate.note and session.text(gate.note),
        "bias": judge and round(judge.bias, 4),
        "features": [
            {
                "name": name,
                "value": round(decision.features[name], 4),
                "typical": round(judge.typical.get(name, 0.0), 4),
                "weight": round(judge.weights[name], 4),
                "contribution": round(contribution, 4),
            }
            for name, contribution in contributions.items()
            if judge
        ],
        "hits": [
            {"source": hit.document.source, "start": hit.chunk.start, "end": hit.chunk.end}
            for hit in tested.hits[:_SHOWN_HITS]
        ],
    }


def _show_test(session: Session, tested: GateTest) -> None:
    from rich.table import Table

    decision, gate, out = tested.decision, tested.gate, session.out
    outcome = decision.outcome.value if decision.outcome else "may_answer"
    out.print(session.text(f"cli.gate.outcome.{outcome}"), style="bold", markup=False)
    out.print(_why(session, tested), markup=False)
    if not decision.features:
        return
    judge = gate.model.judge(decision.features)
    table = Table(box=None, pad_edge=False)
    for column in ("feature", "value", "typical", "weight", "contribution"):
        title = session.text(f"cli.gate.column.{column}")
        table.add_column(title, justify="left" if column == "feature" else "right")
    for name, contribution in judge.contributions(decision.features).items():
        table.add_row(
            session.text(f"cli.gate.feature.{name}"),
            f"{decision.features[name]:.3f}",
            f"{judge.typical.get(name, 0.0):.3f}",
            f"{judge.weights[name]:+.2f}",
            f"{contribution:+.2f}",
        )
    out.print(table)
    out.print(
        session.text(
            "cli.gate.test.sum",
            bias=f"{judge.bias:+.2f}",
            probability=f"{decision.probability:.3f}",
            threshold=f"{decision.threshold:.3f}",
        ),
        markup=False,
    )
    out.print(session.text(gate.note or "gate.shipped"), style="dim", markup=False)
    for hit in tested.hits[:_SHOWN_HITS]:
        text = " ".join(hit.chunk.text.split())
        out.print(
            f"· {hit.document.title or hit.document.source}: {text[:80]}", style="dim", markup=False
        )


def _why(session: Session, tested: GateTest) -> str:
    """Return in words what decided: the reason, and the feature that weighed most that way."""
    decision = tested.decision
    reason = session.text(decision.reason)
    if not decision.features:
        return reason
    judge = tested.gate.model.judge(decision.features)
    contributions = judge.contributions(decision.features)
    answered = decision.outcome is None
    name = (max if answered else min)(contributions, key=contributions.__getitem__)
    weighed = contributions[name] > 0
    if weighed != answered:
        return reason
    key = "cli.gate.test.most_for" if answered else "cli.gate.test.most_against"
    label = session.text(f"cli.gate.feature.{name}")
    return f"{reason}{session.text(key, feature=label, value=f'{decision.features[name]:.3f}')}"
