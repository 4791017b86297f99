"""What is said, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import Sample
from wenqu.readers.markup.subtitles import SubtitleReader
from wenqu.testing.contracts_reader import ReaderContract

if TYPE_CHECKING:
    from wenqu.types import Document

SRT = """1
00:00:01,000 --> 00:00:03,000
<i>我们今天</i>

2
00:00:03,000 --> 00:00:05,000
{\\an8}谈检索。
3
01:02:03,400 --> 01:02:05,000
再见。
"""
VTT = """WEBVTT - talk

STYLE
::cue { color: red }

NOTE a remark

intro
00:01.000 --> 00:03.000 align:start
<v Ada>Hello &amp; <c.red>welcome</c>

00:03.000 --> 00:05.500
to the <00:04.000>talk.
"""


class TestSubtitleReader(ReaderContract):
    def reader(self) -> SubtitleReader:
        return SubtitleReader()

    def samples(self) -> dict[str, bytes]:
        return {"讲座.srt": SRT.encode("gb18030"), "talk.vtt": b"\xef\xbb\xbf" + VTT.encode()}


def read(text: str, name: str = "x.srt") -> Document:
    return SubtitleReader().read(text.encode(), name)


def cues(*texts: str, seconds: int = 2) -> str:
    return "\n\n".join(
        f"{n}\n00:00:{n * seconds:02},000 --> 00:00:{(n + 1) * seconds:02},000\n{text}"
        for n, text in enumerate(texts)
    )


def test_cues_become_paragraphs_after_the_time_they_begin_at() -> None:
    document = read(SRT)
    assert document.text == "[00:00:01] 我们今天谈检索。\n\n[01:02:03] 再见。"
    assert document.meta["duration"] == "01:02:05"


def test_webvtt_keeps_speakers_and_drops_notes_styles_and_marks() -> None:
    assert read(VTT, "x.vtt").text == "[00:00:01] Ada: Hello & welcome to the talk."


def test_a_line_that_a_rolling_caption_shows_again_is_kept_once() -> None:
    rolling = cues("one two", "one two\nthree four", "three four\nfive")
    assert read(rolling).text == "[00:00:00] one two three four five"


def test_a_paragraph_ends_with_a_sentence_once_it_is_long_enough() -> None:
    sentences = [f"Sentence {n} is of middling length, and then it comes to its end." for n in "ab"]
    paragraphs = read(cues(*sentences, "Next.", "Last.")).text.split("\n\n")
    assert paragraphs[1].startswith("[00:00:04] Next.")
    unended = read(cues(*(f"and so on, {n}, without any end to it" for n in range(14)))).text.split(
        "\n\n"
    )
    assert len(unended) > 1
    assert max(map(len, unended)) < 500


def test_a_silence_ends_a_paragraph() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nA\n\n2\n00:00:20,000 --> 00:00:21,000\nB\n"
    assert read(text).text == "[00:00:01] A\n\n[00:00:20] B"


def test_subtitles_without_times_are_damaged() -> None:
    with pytest.raises(ReadError) as caught:
        read("only words")
    assert caught.value.key == "read.damaged"


def test_subtitles_are_known_by_how_they_begin() -> None:
    assert SubtitleReader().accepts(Sample(name="talk.txt", head=SRT.encode()))
    assert SubtitleReader().accepts(Sample(name="talk", head=b"WEBVTT\n"))
    assert not SubtitleReader().accepts(Sample(name="talk.txt", head=b"1\nwords"))
