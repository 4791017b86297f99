"""How well and how quickly wenqu, LlamaIndex and LangChain + Chroma search the same documents.

    python bench/search.py --data DIR --models DIR --dataset cmrc2018 [--queries N] [--rounds N]

Each contender indexes the set's corpus, all with the same embedder, and stays open. Then rounds of
questions go to them in turn, so that what else the machine does falls on all alike.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from contenders import Child, Found, Ingested, check_installed, contender_arguments
from machine import machine, percentile
from wenqu.evaluation.metrics import measure, run_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOP = 20
"""Chunks that are asked for: several may be of one document, and ten documents are wanted."""
_WARMING = 5


def load(dataset: Path, wanted: int) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Return question id → text and the qrels, of questions from all over the set."""
    texts: dict[str, str] = {}
    for line in (dataset / "queries.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        texts[row["id"]] = row["text"]
    qrels: dict[str, dict[str, int]] = {}
    for line in (dataset / "qrels.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        if query in texts and int(grade) > 0:
            qrels.setdefault(query, {})[document] = int(grade)
    judged = list(qrels)
    wanted = min(wanted, len(judged))
    some = [judged[at * len(judged) // wanted] for at in range(wanted)]
    return {query: texts[query] for query in some}, {query: qrels[query] for query in some}


def ask(children: list[Child], questions: Mapping[str, str], rounds: int) -> dict[str, Found]:
    """Return what each found; the questions are split into rounds that go to each in turn."""
    asked = list(questions.values())
    found = {child.name: Found(documents=[], ms=[], embed_ms=[]) for child in children}
    for child in children:
        child.search(asked[:_WARMING], _TOP)
    for number in range(rounds):
        some = asked[number * len(asked) // rounds : (number + 1) * len(asked) // rounds]
        # The first of a round may find the caches of the machine cold: each is first in its turn.
        turn = number % len(children)
        for child in children[turn:] + children[:turn]:
            answer = child.search(some, _TOP)
            own = found[child.name]
            own.documents.extend(answer.documents)
            own.ms.extend(answer.ms)
            own.embed_ms.extend(answer.embed_ms)
    return found


def show(
    children: list[Child],
    indexed: Mapping[str, Ingested],
    found: Mapping[str, Found],
    qrels: dict[str, dict[str, int]],
) -> None:
    """Print a row a contender; ratios are of median milliseconds to the first one's."""
    first = median(next(iter(found.values())).ms)
    print(
        f"{'':12}{'chunks':>8}{'index s':>9}{'embed s':>9}{'recall@1':>10}{'recall@5':>10}"
        f"{'nDCG@10':>9}{'p50 ms':>8}{'p95 ms':>8}{'embed':>7}{'rest':>7}{'ratio':>7}{'peak MB':>9}"
    )
    for child in children:
        own, built = found[child.name], indexed[child.name]
        rankings = {
            query: list(dict.fromkeys(documents))
            for query, documents in zip(qrels, own.documents, strict=True)
        }
        scores = measure(qrels, run_of(rankings))
        rest = [ms - embed for ms, embed in zip(own.ms, own.embed_ms, strict=True)]
        print(
            f"{child.name:12}{built.chunks:8}{built.seconds:9.1f}{built.embed_s:9.1f}"
            f"{scores['recall@1']:10.4f}{scores['recall@5']:10.4f}{scores['nDCG@10']:9.4f}"
            f"{median(own.ms):8.1f}{percentile(own.ms, 0.95):8.1f}{median(own.embed_ms):7.1f}"
            f"{median(rest):7.1f}{median(own.ms) / first:7.2f}{child.peak_mb:9.0f}"
        )


def main() -> None:
    """Index one after another, ask in turn, print."""
    parser = contender_arguments(__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=("cmrc2018", "scifact", "lecoqa"), default="cmrc2018")
    parser.add_argument("--queries", type=int, default=300)
    options = parser.parse_args()
    check_installed(options.only)
    dataset = options.data / options.dataset
    questions, qrels = load(dataset, options.queries)
    print(f"{options.dataset}, {len(questions)} questions; {machine()}", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        children: list[Child] = []
        indexed: dict[str, Ingested] = {}
        for name in options.only:
            child = stack.enter_context(Child(name, options.models, folder / name))
            children.append(child)
            indexed[name] = child.add("corpus", dataset)
        found = ask(children, questions, options.rounds or 10)
        show(children, indexed, found, qrels)
    print(machine())


if __name__ == "__main__":
    main()
