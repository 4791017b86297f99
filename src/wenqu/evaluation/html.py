"""One page that shows runs: tables and charts, in both languages, without anything from elsewhere.

Both languages are in the page; two radio buttons, without any script, choose which one is seen.
What comes from documents, questions and answers is escaped.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from wenqu import messages
from wenqu.evaluation.charts import Row, histogram, interval_chart
from wenqu.evaluation.metrics import METRICS
from wenqu.evaluation.plots import Mark, Series, line_chart
from wenqu.evaluation.refusal import curve
from wenqu.evaluation.report import EvalReport, recall_curve
from wenqu.evaluation.statistics import quantile
from wenqu.types import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wenqu.evaluation.record import EvalRecord, Found, QueryRecord
    from wenqu.evaluation.statistics import Interval
    from wenqu.messages import Locale
    from wenqu.types import Outcome

__all__ = ["report_page"]

_LOCALES: tuple[Locale, Locale] = ("zh", "en")
_NAMES = {"zh": "中文", "en": "English"}
_WORST = 20
_ANSWERS = 40
_TOLD = 40  # from here on a cell is prose, and may have lines


def report_page(runs: Sequence[EvalRecord], locale: Locale) -> str:
    """Return the page.

    Args:
        runs: What to show, in this order.
        locale: Which language is seen first.
    """
    bases = [run.knowledge_base for run in runs if run.answers_by != "generate"]
    # Runs over the same documents are told apart by their own names.
    reports = [_Shown(run, named=bases.count(run.knowledge_base) > 1) for run in runs]
    bodies = "\n".join(
        f'<main class="{one}" lang="{one}">\n{"".join(_Writer(one).body(reports))}</main>'
        for one in _LOCALES
    )
    choices = "".join(
        f'<input type="radio" name="language" id="{one}"{" checked" if one == locale else ""}>'
        f'<label for="{one}">{_NAMES[one]}</label>'
        for one in _LOCALES
    )
    title = escape(messages.text("cli.report.title", locale))
    return (
        f'<!doctype html>\n<html lang="{locale}">\n<head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body>\n{choices}\n{bodies}\n</body>\n</html>\n"
    )


class _Shown:
    """A run with its figures, computed once for both languages."""

    def __init__(self, run: EvalRecord, *, named: bool) -> None:
        report = EvalReport(run)
        self.run = run
        self.label = run.name if named else run.knowledge_base.removeprefix("eval-")
        self.cell = escape(self.label)
        self.retrieval = report.retrieval() if run.judged else {}
        self.refusal = report.refusal()
        self.plain_refusal = report.plain_refusal() if self.refusal else {}
        self.answers = report.answers()
        self.worst = report.worst(_WORST)
        self.report = report

    @property
    def is_main(self) -> bool:
        """Whether it was made for retrieval, not for a few written answers."""
        whole = not self.run.hidden and self.run.answers_by != "generate"
        return bool(self.retrieval) and whole


class _Writer:
    """Writes the page in one language."""

    def __init__(self, locale: Locale) -> None:
        self._locale = locale

    def body(self, shown: Sequence[_Shown]) -> Iterator[str]:
        yield f"<h1>{self._say('title')}</h1>\n<p>{self._say('intro')}</p>\n"
        main = [one for one in shown if one.is_main] or [one for one in shown if one.retrieval]
        if main:
            yield from self._retrieval(main)
        refusing = [one for one in shown if one.refusal]
        if refusing:
            yield from self._refusal(refusing)
        answering = [one for one in shown if one.answers is not None]
        if answering:
            yield from self._answers(answering)
            yield from self._citations(answering)
        if main:
            yield from self._times(main, answering)
            yield from self._worst(main)
        yield from self._made(shown)

    # Parts of the page

    def _retrieval(self, shown: Sequence[_Shown]) -> Iterator[str]:
        yield f"<h2>{self._say('retrieval')}</h2>\n<p>{self._say('retrieval_about')}</p>\n"
        origins = [one for one in Origin if any(one in run.retrieval for run in shown)]
        names = [self._say(f"origin_{one.value}") for one in origins]
        for metric in ("recall@1", "nDCG@10"):
            rows = [
                Row(
                    name=one.label,
                    intervals=[one.retrieval.get(origin, {}).get(metric) for origin in origins],
                )
                for one in shown
            ]
            yield _figure(interval_chart(rows, names, metric))
        yield from self._retrieval_table(shown)
        yield '<div class="many">'
        for one in shown:
            series = [
                Series(self._say(f"origin_{origin.value}"), recall_curve(one.run, origin))
                for origin in one.run.origins
            ]
            yield _figure(line_chart(series, title=one.label, x_label="k", y_label="recall@k"))
        yield "</div>\n"

    def _retrieval_table(self, shown: Sequence[_Shown]) -> Iterator[str]:
        rows = []
        for one in shown:
            best = {
                metric: max(found[metric].mean for found in one.retrieval.values())
                for metric in METRICS
            }
            for origin, found in one.retrieval.items():
                first = origin is next(iter(one.retrieval))
                cells = [
                    one.cell if first else "",
                    f"{one.run.documents:,}" if first else "",
                    str(len(one.run.judged)) if first else "",
                    self._say(f"origin_{origin.value}"),
                ]
                cells += [
                    _cell(found[metric], best=found[metric].mean >= best[metric])
                    for metric in METRICS
                ]
                rows.append(cells)
        heads = ["set", "documents", "queries", "ranking"]
        yield _table([*(self._say(head) for head in heads), *METRICS], rows)

    def _refusal(self, shown: Sequence[_Shown]) -> Iterator[str]:
        yield f"<h2>{self._say('refusal')}</h2>\n<p>{self._say('refusal_about')}</p>\n"
        names = list(shown[0].refusal)
        rows = []
        for one in shown:
            figures = [one.refusal[name] for name in names]
            rows.append([one.cell, self._say("gate"), *map(_cell, figures)])
            if one.plain_refusal:
                figures = [one.plain_refusal[name] for name in names]
                rows.append(["", self._say("likeness"), *map(_cell, figures)])
        yield _table([self._say("set"), self._say("by"), *names], rows)
        yield '<div class="many">'
        for one in shown:
            yield _figure(self._refusal_chart(one))
        yield "</div>\n"

    def _refusal_chart(self, one: _Shown) -> str:
        gated = one.report.gated()
        kinds = [answerable for answerable, _ in gated]
        scored = {"gate": [gate.probability for _, gate in gated]}
        if one.plain_refusal:
            scored["likeness"] = [gate.likeness for _, gate in gated]
        series = []
        for key, scores in scored.items():
            points = [(point.refusal_recall, point.recall) for point in curve(scores, kinds)]
            series.append(Series(self._say(key), points, dashed=key == "likeness"))
        here = one.refusal
        mark = Mark(
            here["refusal_recall"].mean, here["answer_recall"].mean, self._say("operating_point")
        )
        return line_chart(
            series,
            title=one.label,
            x_label=self._say("refused_share"),
            y_label=self._say("answered_share"),
            marks=[mark],
        )

    def _answers(self, shown: Sequence[_Shown]) -> Iterator[str]:
        yield f"<h2>{self._say('answers')}</h2>\n<p>{self._say('answers_about')}</p>\n"
        rows = []
        names = ("right", "contains", "f1", "rouge_l", "exact", "grounded")
        for one in shown:
            answers = one.answers
            if answers is None:
                continue
            found: dict[str, Interval | None] = {**answers.values}
            found |= {"right": answers.right, "grounded": answers.grounded}
            outcomes = "; ".join(
                f"{self._say(key)}: "
                + ", ".join(self._count(kind, n) for kind, n in counts.items())
                for key, counts in (
                    ("answerable", answers.outcomes),
                    ("unanswerable", answers.false_outcomes),
                )
                if counts
            )
            cells = [one.cell, self._by(one), str(answers.asked)]
            rows.append([*cells, *(_cell(found.get(name)) for name in names), outcomes])
        heads = [self._say("set"), self._say("by"), self._say("queries")]
        yield _table([*heads, *names, self._say("outcomes")], rows)
        for one in shown:
            answered = [query for query in one.run.queries if query.answer is not None]
            title = self._say("answers_of", name=f"{one.label} · {self._by(one)}")
            yield f"<details><summary>{title}</summary>\n"
            yield from (self._answer(query) for query in answered[:_ANSWERS])
            yield "</details>\n"

    def _answer(self, query: QueryRecord) -> str:
        answer = query.answer
        if answer is None:
            return ""
        facts = [self._outcome(answer.outcome)]
        if query.gate is not None:
            # A run of another version may know reasons that this one does not.
            known = query.gate.reason in messages.catalogue()
            reason = messages.text(query.gate.reason, self._locale) if known else query.gate.reason
            facts.append(f"{self._say('gate')} {query.gate.probability:.2f} ({reason})")
        figures = {f"answers.{name}": value for name, value in answer.values.items()}
        figures |= {f"citations.{name}": value for name, value in answer.citations.items()}
        facts += [f"{name} {value:.2f}" for name, value in figures.items()]
        right = " / ".join(answer.right) or "–"
        right = right if query.answerable else self._say("unanswerable")
        doubted = "".join(f"<li>{escape(one)}</li>" for one in answer.unsupported)
        doubted = f"{self._say('unsupported')}<ul>{doubted}</ul>" if doubted else ""
        return (
            f"<article><h4>{escape(query.text)}</h4><p>{_lines(answer.text)}</p>{doubted}"
            f'<p class="soft">{self._say("right_answer")}: {escape(right[:400])}<br>'
            f"{escape(' · '.join(facts))}</p></article>\n"
        )

    def _citations(self, shown: Sequence[_Shown]) -> Iterator[str]:
        names = ("precision", "recall", "evidence_precision", "document_precision")
        rows = [
            [one.cell, self._by(one), *(_cell(one.answers.citations.get(name)) for name in names)]
            for one in shown
            if one.answers is not None and one.answers.citations
        ]
        if rows:
            yield f"<h2>{self._say('citations')}</h2>\n<p>{self._say('citations_about')}</p>\n"
            yield _table([self._say("set"), self._say("by"), *names], rows)

    def _times(self, main: Sequence[_Shown], answering: Sequence[_Shown]) -> Iterator[str]:
        yield f"<h2>{self._say('times')}</h2>\n"
        rows = []
        for one in main:
            for origin in one.run.origins:
                name = f"{self._say('search')}: {self._say(f'origin_{origin.value}')}"
                rows.append([one.cell, name, *_times(one.report.ms(origin))])
        for one in answering:
            spent = [query.answer.ms for query in one.run.queries if query.answer is not None]
            rows.append([one.cell, f"{self._say('answer')}: {self._by(one)}", *_times(spent)])
        yield _table([self._say("set"), self._say("stage"), "p50 ms", "p95 ms", "p99 ms"], rows)
        yield '<div class="many">'
        for one in main:
            title = f"{one.label}: {self._say('search')}"
            yield _figure(histogram(one.report.ms(one.run.served), title, "ms"))
        yield "</div>\n"

    def _worst(self, shown: Sequence[_Shown]) -> Iterator[str]:
        yield f"<h2>{self._say('worst')}</h2>\n<p>{self._say('worst_about')}</p>\n"
        for one in shown:
            if not one.worst:
                continue
            yield f"<details><summary>{escape(one.label)}</summary>\n"
            for query in one.worst:
                value = query.values[one.run.served]["nDCG@10"]
                yield (
                    f"<article><h4>{escape(query.text)}</h4>"
                    f'<p class="soft">nDCG@10 {value:.2f} · {self._ranks(query, one.run.served)}'
                    f"</p><ul>{''.join(_document('wanted', found) for found in query.wanted)}"
                    f"{''.join(_document('found', found) for found in query.found)}</ul>"
                    "</article>\n"
                )
            yield "</details>\n"

    def _ranks(self, query: QueryRecord, origin: Origin) -> str:
        ranks = ", ".join(map(str, query.ranks[origin][:5])) or "–"
        return self._say("ranks", ranks=ranks)

    def _made(self, shown: Sequence[_Shown]) -> Iterator[str]:
        yield f"<h2>{self._say('made')}</h2>\n"
        rows = [
            [
                escape(one.run.name),
                f"{one.run.date:%Y-%m-%d %H:%M} UTC",
                escape(one.run.version),
                str(len(one.run.queries)),
                str(one.run.seed),
                escape("; ".join(f"{key}: {value}" for key, value in _details(one.run))),
            ]
            for one in shown
        ]
        heads = ("run", "date", "version", "queries", "seed", "settings")
        yield _table([self._say(head) for head in heads], rows)

    def _count(self, kind: Outcome, number: int) -> str:
        return f"{self._outcome(kind)} {number}"

    def _outcome(self, kind: Outcome) -> str:
        return escape(messages.text(f"answer.outcome.{kind.value}", self._locale))

    def _by(self, one: _Shown) -> str:
        return self._say(f"by_{one.run.answers_by}") if one.run.answers_by else "–"

    def _say(self, key: str, **values: object) -> str:
        return escape(messages.text(f"cli.report.{key}", self._locale, **values))


def _figure(svg: str) -> str:
    return f"<figure>{svg}</figure>\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already."""
    head = "".join(f"<th>{one.replace('_', '_<wbr>')}</th>" for one in heads)
    body = "\n".join(f"<tr>{''.join(map(_td, row))}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>\n{body}</table></div>\n'


def _td(cell: str) -> str:
    told = ' class="told"' if len(cell) > _TOLD and "<" not in cell else ""
    return f"<td{told}>{cell}</td>"


def _cell(one: Interval | None, *, best: bool = False) -> str:
    if one is None:
        return "–"
    said = f"{one.mean:.3f}"
    said = f"<b>{said}</b>" if best else said
    return f'<span title="n={one.n}">{said}<br><small>{one.low:.3f}–{one.high:.3f}</small></span>'


def _times(spent: Sequence[float]) -> list[str]:
    return [f"{quantile(spent, share):.0f}" for share in (0.5, 0.95, 0.99)]


def _document(kind: str, found: Found) -> str:
    title = escape(found.title or found.source)
    text = f": {escape(found.text)}" if found.text else ""
    return f'<li class="{kind}"><b>{title}</b>{text}</li>'


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _details(run: EvalRecord) -> Iterator[tuple[str, object]]:
    yield from run.fingerprints.items()
    for section, values in run.settings.items():
        if isinstance(values, dict):
            yield from ((f"{section}.{name}", value) for name, value in values.items())


_STYLE = """
:root{color-scheme:light dark;--ink:#1c2733;--soft:#5b6b7a;--grid:#d9e0e6;--page:#fff;
--card:#f6f8fa;--s0:#0072b2;--s1:#d55e00;--s2:#009e73;--s3:#cc79a7;--s4:#b8860b;--s5:#56b4e9}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#9fb0c0;--grid:#33414d;
--page:#12181e;--card:#1a222a;--s0:#56b4e9;--s1:#ff9248;--s2:#2fc79a;--s3:#e7a3c8;--s4:#e6b422}}
body{font:15px/1.6 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;color:var(--ink);
background:var(--page);max-width:72rem;margin:1.5rem auto;padding:0 1rem}
main{display:none}#zh:checked~main.zh,#en:checked~main.en{display:block}
label{margin:0 1rem 0 .2rem}h2{margin-top:2.5rem}h4{margin:.2rem 0}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:1rem 0}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap;
vertical-align:top}th:first-child,td:first-child{text-align:left}
th{white-space:normal}td.told{white-space:normal;text-align:left;min-width:12rem}small,.soft{color:var(--soft)}
figure{margin:1rem 0;background:var(--card);border-radius:.5rem;padding:.75rem}
figure svg{max-width:100%;height:auto;display:block}
.many{display:grid;grid-template-columns:repeat(auto-fill,minmax(24rem,1fr));gap:1rem}
.many figure{margin:0}article{border-top:1px solid var(--grid);padding:.6rem 0}
article p,article ul{margin:.2rem 0}summary{cursor:pointer;padding:.3rem 0}
.wanted b{color:var(--s2)}.found b{color:var(--s1)}
svg text{font-size:12px;fill:var(--ink)}svg text.head{font-size:15px}
svg text.soft,svg text[fill="#5b6b7a"]{fill:var(--soft)}
svg line.grid,svg polyline[stroke="#d9e0e6"]{stroke:var(--grid)}
svg polyline[stroke="#5b6b7a"]{stroke:var(--soft)}svg>rect[fill="#fff"]{fill:var(--card)}
svg circle[fill="#1c2733"]{fill:var(--ink)}
""" + "".join(
    f"svg .s{at}{{fill:var(--s{at});stroke:var(--s{at})}}"
    f'svg polyline[stroke="{colour}"]{{stroke:var(--s{at})}}'
    for at, colour in enumerate(("#0072b2", "#d55e00", "#009e73", "#cc79a7"))
)
