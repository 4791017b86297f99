"""Makes the table of syllables that text/pinyin.py reads.

    python -m pip install pypinyin==0.55.0
    python bench/pinyin.py --out src/wenqu/text/pinyin.txt

A line is a syllable and the characters of GB 2312 that are read so: by their first reading, the
3,755 common ones (rows up to 55, ordered by sound in the standard) by their second too, which is
how 长 is both chang and zhang.
"""

from __future__ import annotations

import argparse
import unicodedata
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path

COMMON = 0xD7
"""First byte of the last row of common characters."""
ODD = frozenset({"n", "o", "hng"})
"""Interjections; as syllables of names they would only cut up English words."""
UMLAUT = "u\u0308"


def spellings(reading: str) -> set[str]:
    """Return how a reading is written without its tone: ``lü`` as lv and as lu."""
    marks = unicodedata.normalize("NFD", reading.lower())
    plain = {marks.replace(UMLAUT, "v"), marks.replace(UMLAUT, "u")}
    return {"".join(one for one in each if not unicodedata.combining(one)) for each in plain} - ODD


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description="Make the table of pinyin syllables.")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    options = parser.parse_args()
    readings = import_module("pypinyin.pinyin_dict").pinyin_dict
    table: dict[str, list[str]] = {}
    for point in range(0x4E00, 0xA000):
        code = chr(point).encode("gb2312", errors="ignore")
        if not code:
            continue
        most = 2 if code[0] <= COMMON else 1
        syllables = [spellings(one) for one in readings[point].split(",")]
        for syllable in sorted(set().union(*list(dict.fromkeys(map(frozenset, syllables)))[:most])):
            table.setdefault(syllable, []).append(chr(point))
    licence = distribution("pypinyin").read_text("licenses/LICENSE.txt") or ""
    lines = [
        "# Made by bench/pinyin.py from the readings of pypinyin 0.55.0, which come with this:",
        *(f"# {line}".rstrip() for line in licence.splitlines()),
        *(f"{syllable} {''.join(table[syllable])}" for syllable in sorted(table)),
    ]
    options.out.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
