"""Gives damaged copies of real files to all readers: none may crash, hang or break its promises.

    python bench/fuzz.py --data DIR --files 20000 --seed 1 --workers 2 [--only FORMAT] [--keep DIR]
    python bench/fuzz.py --data DIR --seed 1 --number 1234 --keep DIR

Case NUMBER of a seed is the same file each time. Files go through the reading pool as in
``wenqu add``, with shorter limits. An error of a reader's own (``read.damaged`` and the like) is
an answer; a crash, a limit reached and a broken document are printed, one a line: file, seed and
number, what happened.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions
from wenqu.readers.worker import ReadingPool
from wenqu.testing.docfiles import originals
from wenqu.testing.mutate import damaged

if TYPE_CHECKING:
    from wenqu.types import Document

BAD = ("read.crashed", "read.timeout", "read.memory", "read.worker", "hang", "broken")
PATIENCE = 3
REPORT_EVERY = 1000


def broken(document: Document) -> str:
    """Return what a document promises and does not keep, or nothing."""
    end = 0
    for block in document.blocks:
        if not end <= block.span.start < block.span.end <= len(document.text):
            return f"span {block.span.start}:{block.span.end} after {end}"
        end = block.span.end
    try:
        "\n".join((document.title, document.text, *document.meta.values())).encode()
    except UnicodeEncodeError:
        return "half a surrogate pair"
    return "" if document.blocks and document.title.strip() else "no block or no title"


class Fuzzer:
    """Reads damaged files and counts what comes of them."""

    def __init__(self, options: argparse.Namespace, files: list[Path], folder: Path) -> None:
        self._options = options
        self._files = files
        self._folder = folder
        self.outcomes: Counter[str] = Counter()
        self.bad = 0
        self.slowest = (0.0, "")

    async def run(self) -> None:
        """Read all, a few at a time."""
        options = self._options
        only = options.number
        self._numbers = iter(range(options.files) if only is None else (only,))
        async with ReadingPool(
            timeout_s=options.timeout,
            total_timeout_s=options.timeout,
            memory_mb=options.memory,
            workers=options.workers,
            options=ReadOptions(ocr=options.ocr, max_characters=5_000_000),
        ) as pool:
            await asyncio.gather(*(self._work(pool) for _ in range(options.workers)))

    async def _work(self, pool: ReadingPool) -> None:
        for number in self._numbers:
            original, data = damaged(self._files, self._options.seed, number)
            path = self._folder / f"{number}{original.suffix}"
            path.write_bytes(data)
            begin = perf_counter()
            key, said = await self._read(pool, path)
            seconds = perf_counter() - begin
            self.slowest = max(self.slowest, (seconds, f"{original.name} {number}"))
            self.outcomes[key] += 1
            if key in BAD:
                self.bad += 1
                print(f"{original} {self._options.seed}:{number} {key} {said}", flush=True)
            if self._options.keep and (key in BAD or self._options.number is not None):
                self._options.keep.mkdir(parents=True, exist_ok=True)
                (self._options.keep / path.name).write_bytes(data)
            path.unlink()
            if sum(self.outcomes.values()) % REPORT_EVERY == 0:
                print(dict(self.outcomes.most_common()), file=sys.stderr, flush=True)

    async def _read(self, pool: ReadingPool, path: Path) -> tuple[str, str]:
        try:
            async with asyncio.timeout(PATIENCE * self._options.timeout * self._options.workers):
                document = await pool.read(path, path.name)
        except ReadError as error:
            return error.key, str(error.values.get("reason", error))
        except TimeoutError:
            return "hang", "the pool gave no answer in time"
        said = broken(document)
        return ("broken", said) if said else ("text", "")


def main() -> int:
    """Fuzz; the exit code says whether anything bad came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds docfiles")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, help="only this case")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", action="append", metavar="FORMAT", help="may be repeated")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds a file")
    parser.add_argument("--memory", type=int, default=1024, help="MB a file")
    parser.add_argument("--ocr", action="store_true", help="recognise text in images (slow)")
    parser.add_argument("--keep", type=Path, help="folder for the files that gave trouble")
    options = parser.parse_args()
    files = originals(options.data / "docfiles", options.only or ())
    os.nice(5)
    begin = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(options, files, Path(folder))
        asyncio.run(fuzzer.run())
    print(
        f"{sum(fuzzer.outcomes.values())} files of {len(files)} originals in "
        f"{perf_counter() - begin:.0f} s, slowest {fuzzer.slowest[0]:.1f} s ({fuzzer.slowest[1]})"
    )
    for key, count in fuzzer.outcomes.most_common():
        print(f"  {key}: {count}")
    return 1 if fuzzer.bad else 0


if __name__ == "__main__":
    sys.exit(main())
