"""Data sets for questions in the other language, written for ``wenqu eval``.

Takes the translations of data/crosslingual.jsonl and the corpora that they are about, and writes
three folders in the layout of a data set: English questions over the Chinese passages of cmrc2018,
Chinese questions over the English passages of clapnq, and all of them over both corpora at once.

    python bench/translated.py DATA OUT
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TRANSLATIONS = Path(__file__).parent / "data" / "crosslingual.jsonl"
WRITTEN = {
    "cmrc2018-english": ("cmrc2018",),
    "clapnq-chinese": ("clapnq",),
    "translated-mixed": ("cmrc2018", "clapnq"),
}


def write(data: Path, out: Path, sources: Sequence[str]) -> None:
    """Write one data set whose corpus is that of all sources, asked in the other language."""
    rows = [json.loads(line) for line in TRANSLATIONS.read_text("utf-8").splitlines()]
    asked = [row for row in rows if row["dataset"] in sources]
    ids = {row["id"] for row in asked}
    out.mkdir(parents=True, exist_ok=True)
    with (
        (out / "corpus.jsonl").open("w", encoding="utf-8") as corpus,
        (out / "queries.jsonl").open("w", encoding="utf-8") as queries,
        (out / "qrels.tsv").open("w", encoding="utf-8") as qrels,
    ):
        queries.writelines(
            json.dumps({"id": row["id"], "text": row["text"]}, ensure_ascii=False) + "\n"
            for row in asked
        )
        for source in sources:
            for line in (data / source / "corpus.jsonl").read_text("utf-8").splitlines():
                row = json.loads(line)
                corpus.write(json.dumps(row | {"id": f"{source}-{row['id']}"}) + "\n")
            for line in (data / source / "qrels.tsv").read_text("utf-8").splitlines():
                question, document, grade = line.split("\t")
                if question in ids:
                    qrels.write(f"{question}\t{source}-{document}\t{grade}\n")


def main() -> None:
    """Write the data sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the data sets")
    parser.add_argument("out", type=Path, help="folder to write them into")
    arguments = parser.parse_args()
    for name, sources in WRITTEN.items():
        write(arguments.data, arguments.out / name, sources)


if __name__ == "__main__":
    main()
