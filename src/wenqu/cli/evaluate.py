"""``wenqu eval``: names the commands; their work is in ``cli.evaluations``.

The first word may be a command of the group, or what to measure: ``wenqu eval FOLDER``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from wenqu.cli.deferred import Commands, Group
from wenqu.cli.session import HomeOption, JsonOption, KbOption, Session, system_text

__all__ = ["app"]

_RUN = "run"


class _RunByDefault(Commands):
    """A group one of whose commands need not be named."""

    left_out = _RUN

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what names no command for the arguments of ``run``."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [self.left_out, *args]
        return super().parse_args(ctx, args)


app = Group("cli.eval.help", _RunByDefault)

_Runs = Annotated[list[str], typer.Argument(help=system_text("cli.eval.runs"))]
_Out = Annotated[Path, typer.Option("--out", "-o", help=system_text("cli.eval.out"))]
_Report = Annotated[
    Path | None, typer.Option("--report", help=system_text("cli.eval.report"), show_default=False)
]
_Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, help=system_text("cli.eval.limit"), show_default=False),
]
_Seed = Annotated[int, typer.Option("--seed", help=system_text("cli.eval.seed"))]
_Answers = Annotated[
    Literal["extractive", "generate"] | None,
    typer.Option("--answers", help=system_text("cli.eval.answers"), show_default=False),
]
_FailUnder = Annotated[
    list[str] | None, typer.Option("--fail-under", help=system_text("cli.eval.fail_under"))
]


@app.command(_RUN, help=system_text("cli.eval.run.help"))
def run(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    targets: Annotated[list[Path], typer.Argument(help=system_text("cli.eval.targets"))],
    kb: KbOption = None,
    corpus: Annotated[
        str, typer.Option("--corpus", help=system_text("cli.eval.corpus"))
    ] = "corpus.jsonl",
    limit: _Limit = None,
    seed: _Seed = 0,
    answers: _Answers = None,
    answers_limit: Annotated[
        int | None,
        typer.Option(
            "--answers-limit", min=1, help=system_text("cli.eval.answers_limit"), show_default=False
        ),
    ] = None,
    hide: Annotated[
        float, typer.Option("--hide", min=0, max=0.9, help=system_text("cli.eval.hide"))
    ] = 0.0,
    drafts: Annotated[bool, typer.Option("--drafts", help=system_text("cli.eval.drafts"))] = False,
    name: Annotated[str, typer.Option("--name", help=system_text("cli.eval.name"))] = "",
    report: _Report = None,
    fail_under: _FailUnder = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Measure data sets, or a knowledge base."""
    from wenqu.app_measuring import EvalOptions
    from wenqu.cli.evaluations import Wanted, evaluate_targets

    evaluate_targets(
        Session.begin(context, home),
        targets,
        EvalOptions(
            corpus=corpus,
            limit=limit,
            seed=seed,
            answers=answers,
            answers_limit=answers_limit,
            hide=hide,
            drafts=drafts,
            name=name,
        ),
        Wanted(kb=kb, report=report, fail_under=tuple(fail_under or ()), as_json=json_output),
    )


@app.command("all", help=system_text("cli.eval.all.help"))
def measure_all(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    folders: Annotated[list[Path], typer.Argument(help=system_text("cli.eval.all.folders"))],
    out: _Out = Path("eval-report.html"),
    quick: Annotated[bool, typer.Option("--quick", help=system_text("cli.eval.all.quick"))] = False,
    full: Annotated[bool, typer.Option("--full", help=system_text("cli.eval.all.full"))] = False,
    again: Annotated[bool, typer.Option("--again", help=system_text("cli.eval.all.again"))] = False,
    generate: Annotated[
        bool,
        typer.Option("--generate/--no-generate", help=system_text("cli.eval.all.generate")),
    ] = True,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Measure every data set in folders, and write one report."""
    from wenqu.cli.evaluations import evaluate_all
    from wenqu.evaluation.suite import Suite

    suite = Suite.of(quick=quick, full=full, generate=generate)
    session = Session.begin(context, home)
    evaluate_all(session, folders, out, suite, again=again, as_json=json_output)


@app.command("list", help=system_text("cli.eval.list.help"))
def list_runs(
    context: typer.Context,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """List saved runs."""
    from wenqu.cli.evaluations import list_saved

    list_saved(Session.begin(context, home), as_json=json_output)


@app.command("show", help=system_text("cli.eval.show.help"))
def show(
    context: typer.Context,
    run_name: Annotated[str, typer.Argument(help=system_text("cli.eval.a_run"))],
    worst: Annotated[
        int, typer.Option("--worst", min=0, help=system_text("cli.eval.show.worst"))
    ] = 0,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show a saved run."""
    from wenqu.cli.evaluations import show_saved

    show_saved(Session.begin(context, home), run_name, worst=worst, as_json=json_output)


@app.command("report", help=system_text("cli.eval.report.help"))
def report_runs(
    context: typer.Context,
    runs: _Runs,
    out: _Out = Path("eval-report.html"),
    home: HomeOption = None,
) -> None:
    """Write an HTML report of saved runs."""
    from wenqu.cli.evaluations import report_saved

    report_saved(Session.begin(context, home), runs, out)


@app.command("compare", help=system_text("cli.eval.compare.help"))
def compare_runs(
    context: typer.Context,
    first: Annotated[str, typer.Argument(help=system_text("cli.eval.compare.first"))],
    second: Annotated[str, typer.Argument(help=system_text("cli.eval.compare.second"))],
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Say whether one run is better than another."""
    from wenqu.cli.evaluations import compare_saved

    compare_saved(Session.begin(context, home), first, second, as_json=json_output)


@app.command("make", help=system_text("cli.eval.make.help"))
def make(  # one parameter an option
    context: typer.Context,
    kb: KbOption = None,
    number: Annotated[
        int, typer.Option("--number", "-n", min=1, help=system_text("cli.eval.make.number"))
    ] = 50,
    out: Annotated[Path, typer.Option("--out", "-o", help=system_text("cli.eval.make.out"))] = Path(
        "questions.jsonl"
    ),
    llm: Annotated[
        bool, typer.Option("--llm/--no-llm", help=system_text("cli.eval.make.llm"))
    ] = True,
    seed: _Seed = 0,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Draft questions from the documents."""
    from wenqu.app_measuring import DraftOptions
    from wenqu.cli.evaluations import make_questions

    make_questions(
        Session.begin(context, home),
        kb,
        out,
        DraftOptions(number=number, seed=seed, use_llm=llm),
        as_json=json_output,
    )
