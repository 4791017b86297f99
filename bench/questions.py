"""Makes the file of typical questions that models/questions.py reads.

    python bench/questions.py --data DIR --models DIR --out src/wenqu/models/e5_questions.f16

A language's row is the mean over its data sets of the mean vector of each set's questions, at most
600 of them, so that no set outweighs the others.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import get_args

import numpy as np

from wenqu.evaluation.datasets import load_dataset
from wenqu.models.catalog import find
from wenqu.models.e5 import open_embedder
from wenqu.types import Language

SETS = {"zh": ("cmrc2018", "lecoqa", "dureader_demo"), "en": ("scifact", "clapnq", "expmrc/squad")}
MOST = 600


def main() -> None:
    """Embed questions and write their means."""
    parser = argparse.ArgumentParser(description="Make the mean vectors of questions.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--models", type=Path, required=True, help="folder of the embedder's file")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    options = parser.parse_args()
    embedder = open_embedder(find("multilingual-e5-small"), options.models)
    rows = []
    for language in get_args(Language):
        means = []
        for name in SETS[language]:
            texts = [query.text for query in load_dataset(options.data / name).judged]
            # The same draw at each run, and nothing that anyone should not guess.
            random.Random(0).shuffle(texts)  # noqa: S311
            means.append(embedder.embed_now(texts[:MOST], "query").mean(axis=0))
        rows.append(np.mean(means, axis=0))
    options.out.write_bytes(np.stack(rows).astype("<f2").tobytes())


if __name__ == "__main__":
    main()
