"""How quickly wenqu, LlamaIndex and LangChain + Chroma take in the same files.

    python bench/ingest.py --data DIR --models DIR [--files N] [--rounds N]

DIR holds seed_corpus; N files are taken from all over it. Reading, cutting, embedding (with the
same embedder), storing and indexing are timed together; loading model and framework is not.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from contenders import Child, Ingested, check_installed, contender_arguments
from machine import machine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SUFFIXES = {".md", ".rst", ".txt"}


def sample(corpus: Path, wanted: int | None) -> list[Path]:
    """Return ``wanted`` files from all over the folder, or all; empty ones are nobody's fault."""
    files = sorted(
        path
        for path in corpus.rglob("*")
        if path.suffix in _SUFFIXES
        and path.name != "NOTE.md"
        and not any(part.startswith((".", "_")) for part in path.relative_to(corpus).parts)
        and path.read_text("utf-8").strip()
    )
    if wanted is None or wanted >= len(files):
        return files
    return [files[at * len(files) // wanted] for at in range(wanted)]


def copy(files: Sequence[Path], corpus: Path, into: Path) -> None:
    """Copy the files, so that every contender is given one folder with nothing else in it."""
    for file in files:
        target = into / file.relative_to(corpus)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def show(taken: Mapping[str, list[Ingested]], peaks: Mapping[str, list[float]]) -> None:
    """Print a row a contender: medians over the rounds."""
    first = median(one.seconds for one in next(iter(taken.values())))
    print(
        f"{'':12}{'files':>7}{'chunks':>8}{'seconds':>9}{'files/s':>9}{'ratio':>7}"
        f"{'embed s':>9}{'read %':>8}{'rest s':>8}{'rest %':>8}{'peak MB':>9}{'disk MB':>9}"
    )
    for name, rounds in taken.items():
        seconds = median(one.seconds for one in rounds)
        embed = median(one.embed_s for one in rounds)
        last = rounds[-1]
        print(
            f"{name:12}{last.documents:7}{last.chunks:8}{seconds:9.1f}"
            f"{last.documents / seconds:9.2f}{seconds / first:7.2f}{embed:9.1f}"
            f"{last.read_share * 100:8.1f}"
            f"{seconds - embed:8.1f}{(1 - embed / seconds) * 100:8.1f}"
            f"{max(peaks[name]):9.0f}{last.disk_mb:9.1f}"
        )
    for name, rounds in taken.items():
        if stages := rounds[-1].stages_s:
            busy = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in stages.items())
            rest = sum(stages.values()) - stages.get("embed", 0.0)
            share = rest / (sum(stages.values()) or 1.0) * 100
            print(f"{name}: seconds at work, overlapping: {busy}; all but embedding {share:.1f} %")


def main() -> None:
    """Run the contenders in turn, each time with an empty folder."""
    parser = contender_arguments(__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, help="default: all")
    options = parser.parse_args()
    check_installed(options.only)
    corpus = options.data / "seed_corpus"
    files = sample(corpus, options.files)
    taken: dict[str, list[Ingested]] = {name: [] for name in options.only}
    peaks: dict[str, list[float]] = {name: [] for name in options.only}
    print(f"{len(files)} files; {machine()}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        copy(files, corpus, Path(folder) / "files")
        for number in range(options.rounds or 1):
            for name in options.only:
                state = Path(folder) / f"{name}-{number}"
                with Child(name, options.models, state) as child:
                    taken[name].append(child.add("files", Path(folder) / "files"))
                    peaks[name].append(child.peak_mb)
                shutil.rmtree(state, ignore_errors=True)
    show(taken, peaks)
    print(machine())


if __name__ == "__main__":
    main()
