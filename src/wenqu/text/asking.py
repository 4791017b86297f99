"""Where a text asks rather than tells: what asks bears nothing out.

A document may hold the very words of a question without answering it: a list of what one may ask,
an example in quotes, a heading of a FAQ. Such words find the place; they are no evidence.
"""

from __future__ import annotations

import re

__all__ = ["asks", "without_questions"]

_CLOSERS = "”’\"'」』】）)\\]〉》*_`~ \t"
_MARKED = re.compile(r"[?？][?？!！]*[*_~ \t]*$")
_WHOLLY_QUOTED = re.compile(r"“([^“”]+)”|「([^「」]+)」|\"([^\"]+)\"|`([^`]+)`")
_STOPPED = re.compile(rf"[。.!！;；:：…,，][{_CLOSERS}]*$")
_LEAD = re.compile(
    r"^[\s>*_#\"'“‘「『（(\[]*(?:(?:[-*+•●]|[(（]?\d{1,3}[.)、）])\s*)?[*_]{0,2}"
    r"(?:(?:q(?:uestion)?|问题?)\s?\d{0,3}\s?[:：.．、]\s*)?",
    re.IGNORECASE,
)
_ZH_ASKS = re.compile(
    rf"(?:吗|呢|了没有?|与否)[{_CLOSERS}]*$"
    r"|^(?:请问)?(?:如何|怎么|怎样|为什么|为何|什么是|什么时候|何时|哪(?!怕)|谁(?!都|也)|是否|能否|可否"
    r"|能不能|可不可以|多少|几[个天时点])"
    r"|(?:是|有|叫|用|要|在|到|去|做|干)(?:什么|谁|哪里|哪儿|哪些|哪个|多少)[^，。；,;]{0,6}$"
    r"|(?:怎么|如何|怎样)[^，。；,;]{1,8}$"
)
# Not "who is" and its like: those also go on with a sentence ("a member, who is …").
_EN_ASKS = re.compile(
    r"(?:how (?:to|do|does|did|can|could|should|is|are|much|many|long|often|far|soon)"
    r"|(?:what|why) (?:is|are|was|were|do|does|did|can|could|should|will|would|happens|if)"
    r"|(?:who|where|when|which \w+) (?:do|does|did|can|could|should|will|would)"
    r"|(?:can|could|may|do|does|did|should|must|will|would|is|are|am) "
    r"(?:i|we|you|one|it|they|there))\b",
    re.IGNORECASE,
)
_SHORTEST = 6  # letters that a sentence has beside the question that it quotes, to tell something
_LONGEST_UNMARKED = 80  # of a question without its mark: a longer text tells something
_QUOTED = re.compile(
    r"“([^“”\n]{3,120})”|「([^「」\n]{3,120})」|\"([^\"\n]{3,120})\"|`([^`\n]{3,120})`"
)


def asks(text: str) -> bool:
    """Say whether a sentence, list item or heading is a question, with its mark or without.

    Without one it must be what a list of questions has: short, with no stop, and begin or end as a
    question does (``如何请假``, ``能带宠物吗``, ``How to request leave``).
    """
    text = text.strip()
    if quoted := _WHOLLY_QUOTED.fullmatch(text):
        text = quoted[quoted.lastindex or 0]
    if _MARKED.search(text):
        return True
    plain = _LEAD.sub("", text)
    if not plain or len(plain) > _LONGEST_UNMARKED or _STOPPED.search(plain) or "\n" in plain:
        return False
    return _EN_ASKS.match(plain) is not None or _ZH_ASKS.search(plain) is not None


def without_questions(text: str) -> str:
    """Return what a sentence tells, without the questions that it quotes.

    Empty if it asks, or has nothing to speak of beside what it quotes.
    """
    if asks(text):
        return ""
    rest = _QUOTED.sub(lambda match: " " if asks(match[match.lastindex or 0]) else match[0], text)
    said = sum(character.isalnum() for character in rest)
    return rest if rest == text or said >= _SHORTEST else ""
