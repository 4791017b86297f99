"""What the 8-bit first look at vectors saves: the figures behind docs/adr/0007-local-index.md.

    python bench/sketch.py --data DIR --models DIR --home HOME --kb NAME SET …

HOME has a knowledge base of 20,000 chunks or more, such as ``bench/scale.py --home`` makes. Each
question is looked up by both in turn, in one thread, for the hits that a search asks for; the
results must be the same to the last bit.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import thread_time
from typing import TYPE_CHECKING

from machine import machine
from wenqu.app import open_app
from wenqu.evaluation.datasets import load_dataset
from wenqu.indexes.sketch import Sketch
from wenqu.indexes.vectors import VectorIndex
from wenqu.settings import load

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wenqu.app import App

TOP = 100


async def asked(app: App, kb: str, texts: list[str]) -> list[NDArray[np.float32]]:
    """Return the vectors that a search of each text looks up."""
    vectors: list[NDArray[np.float32]] = []
    plain = VectorIndex.search

    def recorded(self: VectorIndex, vector: NDArray[np.float32], *how: object, **more: object):  # type: ignore[no-untyped-def]  # noqa: ANN202
        vectors.append(vector)
        return plain(self, vector, *how, **more)  # type: ignore[arg-type]

    VectorIndex.search = recorded  # type: ignore[assignment]
    try:
        for text in texts:
            await app.search(kb, text)
    finally:
        VectorIndex.search = plain  # type: ignore[method-assign]
    return vectors


def timed(index: VectorIndex, vector: NDArray[np.float32]) -> tuple[float, object]:
    """Return the milliseconds of processor time of a search, and what it found."""
    begun = thread_time()
    found = index.search(vector, TOP, level=True)
    return (thread_time() - begun) * 1e3, found


async def main(options: argparse.Namespace) -> None:
    """Print a line a set."""
    print(machine())
    settings = load(home=options.home, models={"dir": options.models}, language="en")
    async with open_app(settings) as app:
        folder = app.indexes_dir / str((await app.bases.get(options.kb)).id)
        await app.search(options.kb, "once, so that the index is there")
        (file,) = folder.glob("generation-*/vectors.npz")
        flat = replace(VectorIndex.load(file), sketch=None)
        sketched = replace(flat, sketch=Sketch.of(flat.vectors))
        print(f"{len(flat.chunks)} chunks, the {TOP} best of each language")
        for name in options.sets:
            texts = [query.text for query in load_dataset(options.data / name).judged]
            vectors = await asked(app, options.kb, texts[: options.queries])
            rows = [(timed(flat, one), timed(sketched, one)) for one in vectors]
            same = sum(one[1] == other[1] for one, other in rows)
            before, after = ([pair[side][0] for pair in rows] for side in (0, 1))
            print(
                f"{name:14} flat {median(before):.2f} ms (best {min(before):.2f}), sketched "
                f"{median(after):.2f} ms (best {min(after):.2f}), "
                f"ratio {median(before) / median(after):.2f}, same hits and scores {same} of "
                f"{len(rows)}"
            )
    print(machine())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time a search with and without a sketch.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--models", type=Path, required=True, help="folder of the embedder's file")
    parser.add_argument("--home", type=Path, required=True, help="where the knowledge base is")
    parser.add_argument("--kb", default="bench", help="its name")
    parser.add_argument("--queries", type=int, default=100, help="questions of each set")
    parser.add_argument("sets", nargs="+", metavar="SET", help="data sets to ask")
    asyncio.run(main(parser.parse_args()))
