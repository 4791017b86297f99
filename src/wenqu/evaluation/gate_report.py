"""Draws what ``wenqu gate fit`` found: for a page in the user's language, or as a picture."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, TypeVar

from wenqu import messages
from wenqu.errors import InputError
from wenqu.evaluation.plots import Mark, Series, line_chart, page, png

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wenqu.evaluation.calibrate import Calibration
    from wenqu.evaluation.refusal import CurvePoint

__all__ = ["write_plot"]

Drawn = TypeVar("Drawn", str, bytes)

_COLUMNS = (
    "auc",
    "answer_f1",
    "answer_precision",
    "answer_recall",
    "refusal_precision",
    "refusal_recall",
    "refusal_f1",
)


def write_plot(path: Path, found: Calibration, name: str, locale: messages.Locale) -> None:
    """Write the curve to a file: ``.html`` has all of it, ``.png`` and ``.svg`` the thresholds.

    Pictures are labelled in English: Pillow's own font has no Chinese.

    Raises:
        InputError: The file cannot be written.
    """
    kind = path.suffix.lower()
    try:
        if kind == ".html":
            path.write_text(_page(found, name, locale), "utf-8")
        elif kind == ".svg":
            path.write_text(_thresholds(found, "en", line_chart), "utf-8")
        else:
            path.write_bytes(_thresholds(found, "en", png))
    except OSError as error:
        raise InputError("error.gate_plot_write", path=path, reason=error) from error


def _page(found: Calibration, name: str, locale: messages.Locale) -> str:
    def text(key: str, **values: object) -> str:
        return escape(messages.text(key, locale, **values))

    head = "".join(f"<th>{text(f'cli.gate.column.{column}')}</th>" for column in _COLUMNS)
    rows = []
    for row in ("fitted", "shipped", "similarity"):
        values = getattr(found, row).to_json()
        cells = "".join(f"<td>{values[column]:.3f}</td>" for column in _COLUMNS)
        rows.append(f"<tr><td>{text(f'cli.gate.row.{row}')}</td>{cells}</tr>")
    why = "cli.gate.fit.why_f1" if found.keep is None else "cli.gate.fit.why_keep"
    body = (
        f"<p>{text('cli.gate.fit.questions', **found.about())}</p>\n"
        f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>\n"
        f"<p>{text(why, threshold=f'{found.threshold:.3f}', keep=found.keep)}</p>\n"
        f"{_thresholds(found, locale, line_chart)}\n{_trade(found, locale)}"
    )
    return page(messages.text("cli.gate.plot.title", locale, kb=name), body, language=locale)


def _thresholds(found: Calibration, locale: messages.Locale, draw: Callable[..., Drawn]) -> Drawn:
    """Draw precision, recall and F1 against the threshold."""
    series = [
        _series("precision", locale, [(one.threshold, one.precision) for one in found.points]),
        _series("recall", locale, [(one.threshold, one.recall) for one in found.points]),
        _series("f1", locale, [(one.threshold, one.f1) for one in found.points]),
        _series(
            "refusal_recall", locale, [(one.threshold, one.refusal_recall) for one in found.points]
        ),
    ]
    chosen = next(one for one in found.points if one.threshold >= found.threshold)
    label = messages.text("cli.gate.plot.chosen", locale, threshold=f"{found.threshold:.2f}")
    return draw(
        series,
        title=messages.text("cli.gate.plot.thresholds", locale),
        x_label=messages.text("cli.gate.column.threshold", locale),
        y_label=messages.text("cli.gate.plot.share", locale),
        marks=[Mark(found.threshold, chosen.f1, label)],
    )


def _series(column: str, locale: messages.Locale, points: Sequence[tuple[float, float]]) -> Series:
    return Series(messages.text(f"cli.gate.column.{column}", locale), points)


def _trade(found: Calibration, locale: messages.Locale) -> str:
    """Draw what is answered rightly against what is answered wrongly, beside likeness alone."""

    def points(curve: Sequence[CurvePoint]) -> list[tuple[float, float]]:
        inner = [(1 - one.refusal_recall, one.recall) for one in reversed(curve)]
        return [(0.0, 0.0), *inner, (1.0, 1.0)]

    return line_chart(
        [
            Series(messages.text("cli.gate.row.fitted", locale), points(found.points)),
            Series(
                messages.text("cli.gate.row.similarity", locale),
                points(found.similar_points),
                dashed=True,
            ),
        ],
        title=messages.text("cli.gate.plot.trade", locale),
        x_label=messages.text("cli.gate.plot.wrongly", locale),
        y_label=messages.text("cli.gate.plot.rightly", locale),
    )
