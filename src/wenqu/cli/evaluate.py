"""``wenqu eval``: how good retrieval is on a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.cli.progress import Bar

if TYPE_CHECKING:
    from pathlib import Path

    from wenqu.app import App
    from wenqu.cli.session import Session
    from wenqu.evaluation.report import EvalReport

__all__ = ["evaluate_dataset"]


def evaluate_dataset(session: Session, dataset: Path, *, corpus: str, as_json: bool) -> None:
    """Evaluate and show a table, or JSON and nothing else on standard output."""

    async def work(app: App) -> EvalReport:
        with Bar(session.err, "") as bar:

            def progress(phase: str, done: int, total: int) -> None:
                bar.update(done, total, session.text(f"cli.eval.{phase}"))

            return await app.measuring.evaluate(dataset, corpus=corpus, on_progress=progress)

    report = session.run(work)
    if as_json:
        session.print_json(report.to_json())
        return
    from rich.table import Table

    title = session.text(
        "cli.eval.title",
        dataset=report.dataset,
        documents=report.documents,
        queries=report.queries,
    )
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in report.header():
        table.add_column(column, justify="right" if column else "left")
    for row in report.rows():
        table.add_row(*row)
    session.out.print(table)
