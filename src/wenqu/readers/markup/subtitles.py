"""Subtitles (SRT, WebVTT): what is said as paragraphs, each after the time when it is said.

A cue is half a sentence, so cues are joined until a sentence ends. The time before a paragraph is
part of its text: a citation then tells where to listen.
"""

from __future__ import annotations

import html
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder, collapse, file_stem, join_lines, only_text
from wenqu.readers.encoding import decode, looks_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["SUFFIXES", "SubtitleReader"]

SUFFIXES = frozenset({".srt", ".vtt"})

_HEAD = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:WEBVTT(?=\s)|\s*\d+[ \t]*\r?\n\d\d?:\d\d:\d\d[,.]\d{1,3}[ \t]*-->)"
)
_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})(?:[,.:](\d{1,3}))?"
_TIMING = re.compile(rf"\A\s*{_TIME}\s*-+>\s*{_TIME}")
_SPEAKER = re.compile(r"<v(?:\.[\w.-]*)?[ \t]+([^>\n]{1,80})>")
_MARKS = re.compile(r"</?[A-Za-z][^<>\n]{0,200}>|<\d[\d:.]*>|\{\\[^{}\n]{0,200}\}|\\[hN]")
_SENTENCE_END = re.compile(r"[.!?。！？…][\"'”’」』)）]*\Z")
_GOOD = 120  # characters of a paragraph that may end with its sentence
_MOST = 400  # characters of a paragraph that ends with its cue
_PAUSE_S = 4.0


class _Cue(NamedTuple):
    start: float
    end: float
    text: str


class SubtitleReader:
    """Reads SRT and WebVTT."""

    name = "subtitles/1"

    def accepts(self, sample: Sample) -> bool:
        """Take known suffixes and what begins as subtitles do."""
        if sample.container or looks_binary(sample.head):
            return False
        known = PurePath(sample.name).suffix.lower() in SUFFIXES
        return known or bool(_HEAD.match(sample.head))

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document: a paragraph a few sentences, headed ``[hh:mm:ss]``.

        Raises:
            ReadError: It is empty, binary, in an unknown encoding, or holds no cue.
        """
        text, encoding = decode(data, source)
        builder = DocumentBuilder(source, "subtitles", options)
        builder.note("encoding", encoding)
        cues = list(_cues(text.splitlines()))
        if not cues and only_text(text):
            raise ReadError("read.damaged", source=source, reason="no timed lines")
        for start, paragraph in _paragraphs(_without_repeats(cues)):
            builder.add(f"[{_clock(start)}] {paragraph}")
        if cues:
            builder.note("duration", _clock(max(cue.end for cue in cues)))
        return builder.build(title=file_stem(source))


def _cues(lines: list[str]) -> Iterator[_Cue]:
    """Yield cues in the order of the file; notes, styles, numbers and marks are left out."""
    timing: tuple[float, float] | None = None
    held: list[str] = []
    for line in [*lines, ""]:
        found = _TIMING.match(line)
        if found is None and line.strip():
            held.append(line)
            continue
        if found is not None and held and held[-1].strip().isdecimal():
            held.pop()  # the number of a cue that no blank line parts from the last
        if timing is not None and (text := _clean(held)):
            yield _Cue(*timing, text)
        held = []
        timing = None if found is None else _seconds(found)


def _seconds(found: re.Match[str]) -> tuple[float, float]:
    hours, minutes, seconds, fraction, *end = found.groups()
    return _sum(hours, minutes, seconds, fraction), _sum(*end)


def _sum(
    hours: str | None, minutes: str | None, seconds: str | None, fraction: str | None
) -> float:
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return whole + float(f"0.{fraction or 0}")


def _clean(lines: list[str]) -> str:
    text = html.unescape(_MARKS.sub(" ", _SPEAKER.sub(r"\1: ", "\n".join(lines))))
    return "\n".join(filter(None, map(collapse, text.split("\n"))))


def _without_repeats(cues: list[_Cue]) -> Iterator[_Cue]:
    """Leave out what a rolling caption shows again: lines of the cue before, or their beginning."""
    before: list[str] = []
    for cue in cues:
        lines = cue.text.split("\n")
        fresh = lines
        for shared in range(min(len(before), len(lines)), 0, -1):
            if before[-shared:] == lines[:shared]:
                fresh = lines[shared:]
                break
        before = lines
        if fresh:
            yield cue._replace(text="\n".join(fresh))


def _paragraphs(cues: Iterator[_Cue]) -> Iterator[tuple[float, str]]:
    start, end = 0.0, 0.0
    held: list[str] = []
    for cue in cues:
        if held and cue.start - end > _PAUSE_S:
            yield start, join_lines("\n".join(held))
            held = []
        if not held:
            start = cue.start
        held.append(cue.text)
        end = cue.end
        length = sum(map(len, held))
        if length >= _MOST or (length >= _GOOD and _SENTENCE_END.search(cue.text)):
            yield start, join_lines("\n".join(held))
            held = []
    if held:
        yield start, join_lines("\n".join(held))


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
