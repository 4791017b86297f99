"""``wenqu tune``: which settings of retrieval suit a knowledge base, by its own questions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wenqu.cli.session import HomeOption, JsonOption, KbOption, Session, system_text

if TYPE_CHECKING:
    from wenqu.app import App
    from wenqu.app_tuning import TuneCost, TuneOptions
    from wenqu.evaluation.tune import Setting, Tuning
    from wenqu.types import KnowledgeBase

__all__ = ["tune"]

_SHOWN = 12


def tune(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    questions: Annotated[Path, typer.Argument(help=system_text("cli.tune.questions"))],
    kb: KbOption = None,
    metric: Annotated[
        Literal["recall@1", "recall@5", "recall@10", "MRR@10", "nDCG@10"],
        typer.Option("--metric", help=system_text("cli.tune.metric")),
    ] = "nDCG@10",
    chunk_tokens: Annotated[
        str, typer.Option("--chunk-tokens", help=system_text("cli.tune.chunk_tokens"))
    ] = "128,256,400",
    drafts: Annotated[bool, typer.Option("--drafts", help=system_text("cli.eval.drafts"))] = False,
    apply: Annotated[bool, typer.Option("--apply", help=system_text("cli.tune.apply"))] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=system_text("cli.option.yes"))] = False,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Pick settings of retrieval by a knowledge base's own questions."""
    from wenqu.app_tuning import TuneOptions

    session = Session.begin(context, home)
    how = TuneOptions(metric=metric, chunk_tokens=_sizes(chunk_tokens), drafts=drafts)
    base, cost = session.run(lambda app: _cost(app, kb, questions, how))
    session.note(
        "cli.tune.cost",
        questions=cost.questions,
        settings=cost.settings,
        characters=cost.characters,
        minutes=max(1, round(cost.minutes)),
    )
    if not yes:
        session.confirm(session.text("cli.tune.confirm"))
    found = _tuned(session, base, questions, how)
    if apply and found.is_worthwhile:
        _apply(session, base, found)
    if json_output:
        session.print_json(found.to_json())
    else:
        _show(session, base, found)


async def _cost(
    app: App, kb: str | None, questions: Path, how: TuneOptions
) -> tuple[KnowledgeBase, TuneCost]:
    base = await app.base(kb)
    return base, await app.measuring.tuning_cost(base, questions, how)


def _tuned(session: Session, base: KnowledgeBase, questions: Path, how: TuneOptions) -> Tuning:
    from wenqu.cli.progress import Bar

    async def work(app: App) -> Tuning:
        with Bar(session.err, "") as bar:

            def tell(phase: str, done: int, total: int) -> None:
                bar.update(done, total, session.text(f"cli.tune.{phase}"))

            return await app.measuring.tune(base, questions, how, on_progress=tell)

    return session.run(work)


def _apply(session: Session, base: KnowledgeBase, found: Tuning) -> None:
    """Store what a knowledge base may have for itself; the other settings are the operator's."""
    from dataclasses import replace

    changes = found.chosen.changes(found.present)
    if "chunk_tokens" not in changes:
        session.note("cli.tune.nothing_to_apply")
        return

    async def work(app: App) -> None:
        own = replace(base.settings, chunk_tokens=found.chosen.chunk_tokens)
        await app.bases.configure(base.name, own)

    session.run(work)
    session.note("cli.tune.applied", name=base.name, tokens=found.chosen.chunk_tokens)
    session.note("cli.kb.add_again")


def _show(session: Session, base: KnowledgeBase, found: Tuning) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for key in ("chunk_column", "weight", "candidates", "rerank", "folds"):
        table.add_column(session.text(f"cli.tune.{key}"), justify="right", no_wrap=True)
    table.add_column(found.metric, justify="right", no_wrap=True)
    ranked = sorted(found.means, key=lambda one: (-found.means[one], one))[:_SHOWN]
    for setting in [found.present, *(one for one in ranked if one != found.present)]:
        style = "bold" if setting == found.chosen else None
        table.add_row(*_cells(session, setting, found), style=style)
    session.out.print(table)
    gain = found.gain
    session.out.print(
        session.text(
            "cli.tune.gain",
            metric=found.metric,
            before=f"{gain.first:.4f}",
            after=f"{gain.second:.4f}",
            difference=f"{gain.difference:+.4f}",
            low=f"{gain.low:+.4f}",
            high=f"{gain.high:+.4f}",
            p=f"{gain.p:.3f}",
            number=gain.n,
        ),
        markup=False,
    )
    if not found.is_worthwhile:
        key = "cli.tune.stay" if found.chosen == found.present else "cli.tune.by_chance"
        session.out.print(session.text(key), markup=False)
        return
    session.out.print(session.text("cli.tune.recommended"), style="bold", markup=False)
    for line in _advice(base, found):
        session.out.print(line, markup=False)


def _cells(session: Session, setting: Setting, found: Tuning) -> list[str]:
    mark = " *" if setting == found.present else ""
    return [
        f"{setting.chunk_tokens}",
        f"{setting.lexical_weight:g}",
        f"{setting.candidates}",
        session.text("cli.tune.yes" if setting.rerank else "cli.tune.no"),
        f"{found.picks.get(setting, 0)}",
        f"{found.means[setting]:.4f}{mark}",
    ]


def _advice(base: KnowledgeBase, found: Tuning) -> list[str]:
    """Return the lines to write and the commands to run, ready to be copied."""
    changes = found.chosen.changes(found.present)
    lines: list[str] = []
    names = {"lexical_weight": "lexical_weight", "candidates": "candidates"}
    general = [f"{names[name]} = {value}" for name, value in changes.items() if name in names]
    if "rerank" in changes:
        general.append(f'reranker = "{"default" if changes["rerank"] else "none"}"')
    if general:
        lines += ["# wenqu.toml", "[retrieval]", *general]
    if "chunk_tokens" in changes:
        lines.append(f"wenqu kb set {base.name} --chunk-tokens {changes['chunk_tokens']}")
    return lines


def _sizes(text: str) -> tuple[int, ...]:
    from wenqu.types import MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS

    try:
        sizes = tuple(int(one) for one in text.split(",") if one.strip())
    except ValueError:
        sizes = (0,)
    if any(not MIN_CHUNK_TOKENS <= one <= MAX_CHUNK_TOKENS for one in sizes):
        raise typer.BadParameter(text, param_hint="--chunk-tokens") from None
    return sizes
