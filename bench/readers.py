"""What becomes of real files: wenqu beside markitdown and unstructured, in the same run.

    python bench/readers.py --data DIR [--only FORMAT] [--models DIR] [--misses] [--json]
        [--peer markitdown=PYTHON] [--peer unstructured=PYTHON]
    python bench/readers.py --laws DIR --models DIR

DIR/docfiles holds the files and their manifest. wenqu reads as ``wenqu add`` does, in a worker
process with the default limits; each peer runs in its own interpreter with the same time limit. A
string counts as found whatever its spacing and marks of Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from machine import MemoryWatch, cpu_s, machine, process_tree
from reading import Contender, Outcome, Peer, Wenqu, timed
from wenqu.errors import ReadError
from wenqu.readers.worker import ReadingPool
from wenqu.testing.docfiles import DocFile, Share, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wenqu.models.tokens import Tokens
    from wenqu.types import Chunk, Document

BAD = ("read.crashed", "read.timeout", "read.memory", "read.worker", "timeout", "died")
READ_AHEAD = 4
OCR_MODEL = "pp-ocrv6-small"
WANTED_FOUND = 97.0
WANTED_PAGES_S = 150.0
WANTED_LAWS_S = 60.0
WANTED_LAWS_MB = 500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A file and what came of it; ``locked`` is the answer without the password it wants."""

    file: DocFile
    outcome: Outcome
    locked: Outcome | None = None

    @property
    def text(self) -> str:
        """What was read, or nothing."""
        return self.outcome.text or ""


async def read_all(contender: Contender, files: Sequence[DocFile]) -> list[Reading]:
    """Read the files one after another; one that wants a password is read without it first."""
    readings = []
    for number, file in enumerate(files, start=1):
        if sys.stderr.isatty():
            line = f"{contender.name} {number}/{len(files)} {file.name}"
            print(f"\r{line[:78]:78}", end="", file=sys.stderr)
        first = await timed(contender, file, None)
        if file.password is None:
            readings.append(Reading(file=file, outcome=first))
        else:
            opened = await timed(contender, file, file.password)
            readings.append(Reading(file=file, outcome=opened, locked=first))
    if sys.stderr.isatty():
        print(f"\r{'':78}\r", end="", file=sys.stderr)
    return readings


def strings_found(reading: Reading) -> Share:
    """Return how many of the expected strings were found."""
    wanted = len(reading.file.strings)
    return Share(found=wanted - len(reading.file.missing(reading.text)), of=wanted)


def total(shares: Iterator[Share]) -> Share:
    """Return the sum."""
    return sum(shares, Share())


def row(name: str, readings: Sequence[Reading]) -> dict[str, Any]:
    """Return the figures of some readings."""
    outcomes = [reading.outcome for reading in readings]
    return {
        "format": name,
        "files": len(readings),
        "text": sum(outcome.text is not None for outcome in outcomes),
        "refused": sum(outcome.text is None and outcome.key not in BAD for outcome in outcomes),
        "crashed": sum(outcome.key in BAD for outcome in outcomes),
        "found": asdict(total(map(strings_found, readings))),
        "words": asdict(total(r.file.words_found(r.text) for r in readings)),
        "rows": asdict(total(r.file.rows_found(r.text) for r in readings)),
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 2),
        "slowest_s": round(max(outcome.seconds for outcome in outcomes), 2),
        "peak_mb": round(max(outcome.peak_mb for outcome in outcomes)),
    }


def facts(readings: Sequence[Reading]) -> dict[str, Any]:
    """Return what is asked of all formats together."""
    decoded = [r.file.decoded(r.text) for r in readings]
    locked = [r for r in readings if r.file.locked]
    opened = [r for r in readings if r.locked is not None]
    scans = [r for r in readings if r.file.scanned and r.outcome.text]
    seconds = sum(r.outcome.seconds for r in scans)
    pages = sum(max(1, r.file.pages) for r in scans)
    return {
        "encodings": asdict(
            Share(found=decoded.count(True), of=len(decoded) - decoded.count(None))
        ),
        "locked_says_so": asdict(
            Share(
                found=sum((r.locked or r.outcome).key == "read.encrypted" for r in locked),
                of=len(locked),
            )
        ),
        "opens_with_password": asdict(
            Share(found=sum(bool(r.outcome.text) for r in opened), of=len(opened))
        ),
        "scanned_pages": pages,
        "scanned_pages_per_s": round(pages / seconds, 3) if seconds else None,
    }


async def born_digital(make: Callable[[], Contender], files: Sequence[DocFile]) -> dict[str, Any]:
    """Return pages/s of PDFs with text on one core, with all that is loaded once loaded.

    On a busy machine the second figure, by processor time, is the one to look at.
    """
    chosen = [file for file in files if file.born_digital]
    if not chosen:
        return {}
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if before:
        os.sched_setaffinity(0, {max(before)})
    contender = make()
    pages = 0
    try:
        await contender.read(chosen[0], None)
        begin, busy = perf_counter(), used_s()
        for file in chosen:
            if (await contender.read(file, None)).text:
                pages += file.pages
        seconds, busy = perf_counter() - begin, used_s() - busy
    finally:
        await contender.close()
        if before:
            os.sched_setaffinity(0, before)
    return {
        "pdf_files": len(chosen),
        "pdf_pages": pages,
        "pdf_pages_per_s": round(pages / seconds, 1),
        "pdf_pages_per_cpu_s": round(pages / busy, 1) if busy else None,
    }


def used_s() -> float:
    """Return the processor time of this process and of those it started that still run."""
    return sum(map(cpu_s, process_tree(os.getpid())))


def show(name: str, rows: Sequence[dict[str, Any]], figures: dict[str, Any]) -> None:
    """Print the table of one contender, and its figures below."""
    print(f"\n{name}")
    print(
        f"{'format':12}{'files':>6}{'text':>6}{'refused':>8}{'crashed':>8}{'found':>10}{'%':>7}"
        f"{'words %':>9}{'rows %':>8}{'seconds':>9}{'slowest':>9}{'peak MB':>9}"
    )
    for one in rows:
        found = Share(**one["found"])
        print(
            f"{one['format']:12}{one['files']:6}{one['text']:6}{one['refused']:8}{one['crashed']:8}"
            f"{f'{found.found}/{found.of}':>10}{percent(found):>7}"
            f"{percent(Share(**one['words'])):>9}{percent(Share(**one['rows'])):>8}"
            f"{one['seconds']:9.2f}{one['slowest_s']:9.2f}{one['peak_mb']:9}"
        )
    for key, value in figures.items():
        said = f"{value['found']}/{value['of']}" if isinstance(value, dict) else value
        print(f"  {key.replace('_', ' ')}: {said}")


def percent(share: Share) -> str:
    """Return a share in percent, or nothing."""
    return "" if share.percent is None else f"{share.percent:.1f}"


def show_misses(readings: Sequence[Reading]) -> None:
    """Print each file that gave an error or lacks a string."""
    for reading in readings:
        missing = reading.file.missing(reading.text)
        wrong = reading.file.decoded(reading.text) is False
        if reading.outcome.text is not None and not missing and not wrong:
            continue
        print(f"{reading.file.name}  [{reading.file.kind}]")
        if reading.outcome.text is None:
            print(f"    {reading.outcome.key}: {reading.outcome.message[:160]}")
        if wrong:
            print(f"    not decoded as {reading.file.row['encoding']}")
        for string in missing:
            print(f"    lacks {string!r}")


async def laws(folder: Path, models: Path) -> dict[str, Any]:
    """Read and cut a folder of texts, the next file being read while the last is cut."""
    from wenqu.pipeline.discover import discover

    tokens = tokenizer(models)
    files = discover([folder])
    busy = {"read": 0.0, "chunk": 0.0}
    chunks = errors = 0
    few = asyncio.Semaphore(READ_AHEAD)
    alone = asyncio.Lock()

    async def cut(document: Document) -> None:
        nonlocal chunks
        async with alone:
            begin = perf_counter()
            chunks += len(await asyncio.to_thread(cut_up, document, tokens))
            busy["chunk"] += perf_counter() - begin
        few.release()

    with MemoryWatch(os.getpid()) as watch:
        started = perf_counter()
        async with ReadingPool() as pool, asyncio.TaskGroup() as cutting:
            for file in files:
                begin = perf_counter()
                try:
                    document = await pool.read(file.path, file.source)
                except ReadError:
                    errors += 1
                    continue
                finally:
                    busy["read"] += perf_counter() - begin
                await few.acquire()
                cutting.create_task(cut(document))
            used = {"read": sum(map(cpu_s, process_tree(os.getpid())[1:]))}
        used["chunk"] = cpu_s(os.getpid())
        seconds = perf_counter() - started
    return {
        "files": len(files),
        "errors": errors,
        "chunks": chunks,
        "seconds": round(seconds, 1),
        "read_s": round(busy["read"], 1),
        "chunk_s": round(busy["chunk"], 1),
        "read_cpu_s": round(used["read"], 1),
        "chunk_cpu_s": round(used["chunk"], 1),
        "peak_mb": round(watch.peak_mb),
    }


def tokenizer(models: Path) -> Tokens:
    """Return the embedder's tokeniser without its model."""
    from wenqu.models.blob import Blob
    from wenqu.models.catalog import find
    from wenqu.models.tokens import Tokens

    return Tokens(Blob(models / find("multilingual-e5-small").file))


def cut_up(document: Document, tokens: Tokens) -> list[Chunk]:
    """Cut a document into chunks as ``wenqu add`` does by default."""
    from wenqu.text.chunk import chunk
    from wenqu.types import Chunking

    return chunk(document, Chunking(), tokens.starts)


def peer(argument: str) -> Peer:
    """Return the peer that ``NAME=PYTHON`` asks for."""
    name, sign, python = argument.partition("=")
    if not sign or name not in {"markitdown", "unstructured"}:
        raise argparse.ArgumentTypeError(argument)
    return Peer(name, python)


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder that holds docfiles")
    parser.add_argument("--only", action="append", metavar="FORMAT", help="may be repeated")
    parser.add_argument("--match", default="", help="only files whose path holds this")
    parser.add_argument("--peer", action="append", type=peer, default=[], metavar="NAME=PYTHON")
    parser.add_argument("--misses", action="store_true", help="list what is missing, and errors")
    parser.add_argument("--no-speed", action="store_true", help="leave out pages/s on one core")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--laws", type=Path, help="folder of texts to read and cut instead")
    parser.add_argument("--models", type=Path, help="folder of models: for OCR, and --laws")
    options = parser.parse_args()
    if options.laws is None and options.data is None:
        parser.error("--data or --laws")
    if options.laws is not None and options.models is None:
        parser.error("--laws needs --models")
    return options


async def compare(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Let each contender read the files; print as it goes unless JSON is wanted."""
    files = sorted(load(options.data / "docfiles"), key=lambda file: (file.format, file.name))
    files = [f for f in files if not options.only or f.format in options.only]
    files = [f for f in files if options.match in f.name]
    results = []
    contenders: list[Contender] = [Wenqu(weights(options.models)), *options.peer]
    for contender in contenders:
        try:
            readings = await read_all(contender, files)
        finally:
            await contender.close()
        formats = sorted({file.format for file in files})
        rows = [row(name, [r for r in readings if r.file.format == name]) for name in formats]
        rows.append(row("all", readings))
        figures = facts(readings)
        if not options.no_speed:
            figures |= await born_digital(speedster(contender), files)
        if not options.json:
            show(contender.name, rows, figures)
            if options.misses:
                show_misses(readings)
        results.append({"name": contender.name, "rows": rows, **figures, "files": fates(readings)})
    return results


def speedster(contender: Contender) -> Callable[[], Contender]:
    """Return what makes a fresh contender to time pages with text: wenqu's without OCR."""
    return (lambda: contender) if isinstance(contender, Peer) else Wenqu


def weights(models: Path | None) -> Path | None:
    """Return the weights of the recogniser, where they are in the folder."""
    from wenqu.models.catalog import find
    from wenqu.models.fetch import located

    return located(find(OCR_MODEL), models) if models else None


def fates(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Return each file's fate, for JSON."""
    return [
        {
            "file": r.file.name,
            "kind": r.file.kind,
            "fate": "text" if r.outcome.text is not None else r.outcome.key,
            "message": r.outcome.message,
            "characters": len(r.text),
            "missing": r.file.missing(r.text),
            "decoded": r.file.decoded(r.text),
            "locked": r.locked.key or "text" if r.locked else None,
            "seconds": round(r.outcome.seconds, 3),
            "peak_mb": round(r.outcome.peak_mb),
        }
        for r in readings
    ]


def main() -> int:
    """Run what was asked for; the exit code says whether wenqu reached what is wanted."""
    options = arguments()
    print(machine(), file=sys.stderr)
    if options.laws is not None:
        figures = asyncio.run(laws(options.laws, options.models))
        print(json.dumps(figures) if options.json else figures)
        reached = figures["seconds"] <= WANTED_LAWS_S and figures["peak_mb"] <= WANTED_LAWS_MB
        return 0 if reached else 1
    results = asyncio.run(compare(options))
    if options.json:
        print(json.dumps(results, ensure_ascii=False, indent=1))
    ours = results[0]["rows"][-1]
    found = Share(**ours["found"]).percent
    pages_s = results[0].get("pdf_pages_per_cpu_s")
    reached = (
        not ours["crashed"]
        and (found is None or found >= WANTED_FOUND)
        and (pages_s is None or pages_s >= WANTED_PAGES_S)
    )
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
