"""How well support is told where sentence and evidence are in different languages.

Pairs that say the same in both: sentences of documentation that exists in both languages (this
repository's and seed_corpus), and questions of data/crosslingual.jsonl with what they are
translations of. The evidence is three sources: around the other half (right), or, without that, the
places most alike (hard); or elsewhere (easy). ``before`` is the former rule: the cosine as it is.
Of tables, the last cell of a row is the sentence, and the evidence is the whole table in the other
language (right), the same without that row (hard), or another table (easy); there ``before`` is the
present rule with tables in one piece.

    python bench/crossed.py --data ../shared/data --models DIR [--pairs 140]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from citations import blocks, split
from wenqu.models.catalog import find
from wenqu.models.e5 import open_embedder
from wenqu.models.questions import typical_questions
from wenqu.pipeline.evidence import EvidenceSentence, Selection
from wenqu.pipeline.match import Said, claimed_in, matches_of, sources_of
from wenqu.pipeline.rows import by_rows
from wenqu.text.asking import asks
from wenqu.text.language import detect
from wenqu.text.tokenize import terms
from wenqu.types import Chunk, DocumentInfo, Evidence, Hit, Origin, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Texts = Sequence[str]

HERE = Path(__file__).parent
_SHORTEST, _LONGEST = 10, 300
_AROUND = 2  # sentences before and after
_APART = 4
_LONGEST_DOCUMENT = 120
_SOURCES = 3
_LONGEST_TABLE = 690  # of characters: longer ones are rows in any case
_ROWS = 4  # lines of a table with two rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A sentence and what it is compared with, source by source."""

    group: str
    kind: str
    said: str
    sources: Sequence[Texts]


def _aligned(data: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield group and blocks, English and Chinese, of documents that have as many in both."""
    docs = HERE.parent / "docs"
    pairs = [("wenqu", docs / one.name, one) for one in sorted((docs / "zh").glob("*.md"))]
    for english in sorted((data / "seed_corpus").rglob("*.md")):
        others = [english.with_name(f"{english.stem}{end}.md") for end in ("_zh-CN", "_zh")]
        others.append(Path(str(english).replace("/en/", "/zh_cn/")))
        pairs += [("seed", english, o) for o in others if o.exists() and o != english]
    for group, english, chinese in pairs:
        one, two = blocks(english), blocks(chinese)
        if len(one) == len(two):
            yield group, one, two


def _documents(data: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield aligned sentences, English and Chinese, a document at a time."""
    for group, one, two in _aligned(data):
        rows: list[tuple[str, str]] = []
        for e, z in zip(one, two, strict=True):
            if not e.startswith(("```", "|")) and len(split(e)) == len(split(z)):
                rows += zip(split(e[:2000]), split(z[:2000]), strict=False)
        if len(rows) > 4 * _APART:
            yield group, rows


def _usable(row: tuple[str, str]) -> bool:
    lengths = all(_SHORTEST < len(text) < _LONGEST for text in row)
    return lengths and [detect(text) for text in row] == ["en", "zh"]


def _statements(data: Path, most: int, chance: random.Random) -> Iterator[tuple[str, int, list]]:
    """Yield group, place of the sentence said, and the document (said language first)."""
    documents = list(_documents(data))
    chance.shuffle(documents)
    taken: Counter[str] = Counter()
    for group, rows in documents:
        places = [at for at, row in enumerate(rows) if _usable(row)]
        turned = [(z, e) for e, z in rows] if taken[group] % 2 else rows
        if len(rows) <= _LONGEST_DOCUMENT and taken[group] < most:
            taken[group] += len(places) or 1
            yield from ((group, at, turned) for at in places)


def _apart(order: Sequence[int], at: int) -> list[int]:
    chosen: list[int] = []
    for place in order:
        if all(abs(place - other) > _APART for other in [at, *chosen]):
            chosen.append(place)
    return chosen[:_SOURCES]


class Meanings:
    """Vectors of texts, each computed once."""

    def __init__(self, models: Path) -> None:
        self._embedder = open_embedder(find("multilingual-e5-small"), models)
        self.typical = typical_questions(self._embedder.fingerprint)
        self._kept: dict[tuple[str, str], NDArray[np.float32]] = {}

    def of(self, texts: Texts, kind: str) -> NDArray[np.float32]:
        """Return a row a text."""
        new = sorted({t for t in texts if (kind, t) not in self._kept}, key=len)
        for start in range(0, len(new), 64):
            part = new[start : start + 64]
            rows = self._embedder.embed_now(part, kind)  # type: ignore[arg-type]
            self._kept.update({(kind, t): row for t, row in zip(part, rows, strict=True)})
        return np.array([self._kept[kind, text] for text in texts])

    async def embed(self, texts: Texts, kind: str) -> NDArray[np.float32]:
        """Return a row a text, as an embedder does."""
        return self.of(texts, kind)


def _cases(data: Path, most: int, meanings: Meanings) -> Iterator[Case]:
    chance = random.Random(7)  # noqa: S311 - a sample, not a secret
    statements = list(_statements(data, most, chance))
    for group, at, rows in statements:
        said, other = rows[at][0], [row[1][:_LONGEST] for row in rows]
        like = meanings.of(other, "passage") @ meanings.of([said], "query")[0]
        hard = _apart([int(place) for place in np.argsort(-like)], at)

        def around(place: int, texts: Texts = other) -> Texts:
            return texts[max(0, place - _AROUND) : place + _AROUND + 1]

        far = [around(place) for place in hard]
        yield Case(group=group, kind="right", said=said, sources=[around(at), *far])
        yield Case(group=group, kind="hard", said=said, sources=far)
        _, place, elsewhere = chance.choice([s for s in statements if s[2] is not rows])
        column = 1 if detect(elsewhere[place][1]) != detect(said) else 0
        texts = [row[column][:_LONGEST] for row in elsewhere]
        yield Case(group=group, kind="easy", said=said, sources=[around(place, texts)])
    yield from _questions(data, meanings, chance)
    yield from _tables(data, most, chance)


def _tables(data: Path, most: int, chance: random.Random) -> Iterator[Case]:
    """Yield what cells of tables say, and the tables in the other language."""
    found: list[tuple[str, list[str], list[str]]] = []
    for group, one, two in _aligned(data):
        for english, chinese in zip(one, two, strict=True):
            lines = english.split("\n"), chinese.split("\n")
            short = max(len(english), len(chinese)) <= _LONGEST_TABLE
            if short and english.startswith("|") and len(lines[0]) == len(lines[1]) > _ROWS:
                found.append((f"{group} rows", *(lines if len(found) % 2 else lines[::-1])))
    chance.shuffle(found)
    for group, said, other in found[:most]:
        row = chance.randrange(2, len(said))
        cell = said[row].strip("| ").rsplit("|", 1)[-1].strip()
        if len(cell) >= _SHORTEST:
            rest = [line for number, line in enumerate(other) if number != row]
            elsewhere = chance.choice(
                [
                    lines
                    for _, own, lines in found
                    if own is not said and detect(own[-1]) == detect(said[-1])
                ]
            )
            for kind, lines in (("right", other), ("hard", rest), ("easy", elsewhere)):
                yield Case(group=group, kind=kind, said=cell, sources=[["\n".join(lines)]])


def _questions(data: Path, meanings: Meanings, chance: random.Random) -> Iterator[Case]:
    asked: dict[str, dict[str, str]] = {}
    for line in (HERE / "data" / "crosslingual.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        name = row["dataset"]
        if name not in asked:
            lines = (data / name / "queries.jsonl").read_text("utf-8").split("\n")
            asked[name] = {str(q["id"]): q["text"] for q in map(json.loads, filter(None, lines))}
        said, own = row["text"], asked[name].get(row["id"])
        if own is None:
            continue
        pool = [text for text in list(asked[name].values())[:300] if text != own]
        like = meanings.of(pool, "passage") @ meanings.of([said], "query")[0]
        near = [pool[place] for place in np.argsort(-like)[:5]]
        any_ = [chance.sample(pool, 5) for _ in range(2)]
        yield Case(group=name, kind="right", said=said, sources=[[own, *any_[0]], near, any_[1]])
        yield Case(group=name, kind="hard", said=said, sources=[near, *any_])
        yield Case(group=name, kind="easy", said=said, sources=any_)


def _selection(sources: Sequence[Texts], meanings: Meanings) -> Selection:
    evidence, sentences = [], []
    for marker, texts in enumerate(sources, 1):
        text = " ".join(texts)
        chunk = Chunk(id=str(marker), document_id="d", text=text, start=0, end=len(text))
        # A question bears nothing out: where one stands for a statement, its text is the title.
        title = " ".join(one for one in texts if asks(one))
        info = DocumentInfo(id="d", source="d", title=title, language=detect(text))
        hit = Hit(chunk=chunk, document=info, score=1.0, origin=Origin.DENSE)
        shown = " ".join(one for one in texts if not asks(one))
        evidence.append(Evidence(marker=marker, hit=hit, text=shown, spans=()))
        start = 0
        for one, vector in zip(texts, meanings.of(texts, "passage"), strict=True):
            told = "…" if asks(one) else one
            span = Span(start=start, end=start + len(one))
            sentences.append(
                EvidenceSentence(
                    marker=marker, hit=hit, text=told, span=span, header="", score=0, vector=vector
                )
            )
            start += len(one) + 1
    return Selection(evidence=tuple(evidence), sentences=tuple(sentences))


def _judged(case: Case, meanings: Meanings) -> Mapping[str, bool]:
    vector = meanings.of([case.said], "query")[0]
    new, claimed = frozenset(terms(case.said)), claimed_in(case.said, "")
    said = Said(text=case.said, meant=case.said, new=new, vector=vector, facts=claimed)
    whole = _selection(case.sources, meanings)
    apart = asyncio.run(by_rows(whole, {detect(case.said)}, meanings))
    first, unparted = (
        matches_of(said, sources, meanings.typical)[1]
        for sources in (sources_of(one, meanings.typical) for one in (apart, whole))
    )
    cosine = float((meanings.of(case.sources[0], "passage") @ vector).max())
    before = 1 / (1 + math.exp(-(-2 + 60 * (cosine - 0.85) - 4 * first.missing)))
    return {
        "crossed": first.crossed,
        "now": first.supported and not first.missing,
        "before": (unparted.supported if apart is not whole else before >= 0.5)  # noqa: PLR2004
        and not first.missing,
    }


def main() -> None:
    """Print shares of sentences taken for borne out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=140, help="statements of each group")
    given = parser.parse_args()
    meanings = Meanings(given.models)
    found: dict[tuple[str, str], list[Mapping[str, bool]]] = {}
    for case in _cases(given.data, given.pairs, meanings):
        judged = _judged(case, meanings)
        if judged["crossed"]:
            found.setdefault((case.group, case.kind), []).append(judged)
    for (group, kind), cases in sorted(found.items()):
        shares = {rule: np.mean([case[rule] for case in cases]) for rule in ("before", "now")}
        print(f"{group:>12} {kind:>5} {len(cases):4}", *(f"{r} {s:.3f}" for r, s in shares.items()))


if __name__ == "__main__":
    main()
