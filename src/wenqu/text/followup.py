"""Tells by rules whether a question leans on its conversation, and completes it without a model.

A question leans on what was said before where a word refers back (它, 这个, it, the second one),
where it breaks off (那价格呢, what about Windows), where a bare question word is all there is
(为什么), or where what is asked of is missing (怎么安装, who is the author). A question that only
begins as if it went on (那 LMDeploy 支持哪些量化方法) does not.

A miss costs more than a false alarm: what is not completed finds nothing, while a question that is
completed in vain is still searched for as it was asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.text import followup_en, followup_zh
from wenqu.text.leaning import Leaning
from wenqu.text.normalize import fold
from wenqu.text.smalltalk import is_small_talk

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Leaning", "complete", "leaning", "subject"]

_TURNS = 4
"""Turns of the user that are looked back on: an older subject is hardly ever meant."""
_SUBJECT_CHARACTERS = 60
_HAN = re.compile("[\u3400-\u9fff]")
_STOPS = re.compile(r"[?？!！。]+")


def leaning(question: str) -> Leaning | None:
    """Return by what ``question`` leans on what was said before it; None where it stands alone.

    The words alone decide. Whether there is a conversation at all is for the caller to see.
    """
    text = " ".join(fold(question).split())
    if not text or is_small_talk(text):
        return None
    if _HAN.search(text):
        return followup_zh.leans(text)
    return followup_en.leans(question, text)


def subject(turns: Sequence[str]) -> str:
    """Return what the user's ``turns``, oldest first, are about: words of theirs, in order.

    Those of the last turn that stands by itself, and what later ones added to it; where that is
    too long, of the later ones. Empty where there is no such word.
    """
    words: list[str] = []
    for turn in reversed(turns[-_TURNS:]):
        if is_small_talk(turn):
            continue
        said = {fold(word) for word in words}
        both = [word for word in dict.fromkeys(_about(turn)) if fold(word) not in said] + words
        if words and len(_joined(both)) > _SUBJECT_CHARACTERS:
            break
        words = both
        if leaning(turn) is None:
            break
    return _joined(words)[:_SUBJECT_CHARACTERS].strip()


def complete(question: str, turns: Sequence[str]) -> str | None:
    """Return ``question`` headed by what the user's earlier ``turns`` are about.

    None where they say nothing that it does not say itself.
    """
    about = subject(turns)
    if not about or fold(about) in fold(question):
        return None
    return f"{about}：{question}" if _HAN.search(question) else f"{about}: {question}"


def _about(turn: str) -> list[str]:
    """Return the words of a turn that say what it is about, as they are written."""
    turn = _STOPS.sub(" ", turn)
    return followup_zh.about(turn) if _HAN.search(turn) else followup_en.about(turn)


def _joined(words: Sequence[str]) -> str:
    text = ""
    for word in words:
        if text and (word[0].isascii() or text[-1].isascii()):
            text += " "
        text += word
    return text
