"""The record of an answer: how it was asked, all that came of it; and how two records differ.

A record holds only what JSON has, so that it can be kept, shown, sent and compared:

    wenqu       version that answered
    kb_version  number of the knowledge base's last change
    made_with   fingerprints of what has a say in the answer, by name
    how         ``AskOptions``
    answer      as ``payloads.answer_payload``
    evidence    as ``payloads.evidence_payload``, in the order of the markers
    stages      name, milliseconds, why it was skipped, and what it said of itself
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from wenqu.options import AskOptions, SearchFilter
from wenqu.payloads import answer_payload, evidence_payload, stages_payload
from wenqu.types import AnswerRecord, Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wenqu.types import Answer, Evidence

__all__ = ["Circumstances", "Difference", "as_asked", "differences", "new_id", "record_of"]

_ID_BYTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Under which an answer was given: what else than the question has a say in it."""

    kb: int
    kb_name: str
    kb_version: int
    wenqu: str
    made_with: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is otherwise in a second answer: a part of the record, before and after."""

    part: str
    before: str
    after: str


def new_id() -> str:
    """Return an id that nothing else has: 10 hex digits, by chance."""
    return secrets.token_hex(_ID_BYTES)


def record_of(
    question: str,
    how: AskOptions,
    answer: Answer,
    evidence: Sequence[Evidence],
    circumstances: Circumstances,
) -> AnswerRecord:
    """Return the record of an answer that has an id."""
    return AnswerRecord(
        id=answer.id or new_id(),
        kb=circumstances.kb,
        kb_name=circumstances.kb_name,
        question=question,
        outcome=answer.outcome.value,
        data={
            "wenqu": circumstances.wenqu,
            "kb_version": circumstances.kb_version,
            "made_with": dict(circumstances.made_with),
            "how": asdict(how),
            "answer": answer_payload(answer),
            "evidence": [evidence_payload(item) for item in evidence],
            "stages": stages_payload(answer.trace),
        },
    )


def as_asked(record: AnswerRecord) -> AskOptions:
    """Return the options that the answer of a record was asked with."""
    how = dict(record.data["how"])
    where: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in how.pop("where").items()
    }
    history = tuple(Message(**message) for message in how.pop("history"))
    return replace(AskOptions(**how), where=SearchFilter(**where), history=history)


def differences(before: AnswerRecord, after: AnswerRecord) -> list[Difference]:
    """Return what differs, causes before effects; nothing where the answers are the same.

    The time that stages took is no difference; a stage that ran in one only is.
    """
    return [
        Difference(part=part, before=one, after=other)
        for part, one, other in _pairs(before.data, after.data)
        if one != other
    ]


def _pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    one, other = _told(before), _told(after)
    for part in dict.fromkeys((*one, *other)):
        yield part, one.get(part, ""), other.get(part, "")


def _told(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the parts of a record as texts, causes before effects."""
    return {
        "wenqu": data["wenqu"],
        "documents": str(data["kb_version"]),
        **{f"made_with.{name}": said for name, said in data["made_with"].items()},
        "search": _question(data),
        "skipped": ", ".join(stage["name"] for stage in data["stages"] if stage["skipped"]),
        "hits": _hits(data["answer"]),
        "outcome": data["answer"]["outcome"],
        "evidence": _evidence(data),
        "prompt": _prompt(data),
        "answer": data["answer"]["answer"],
        "citations": _citations(data["answer"]),
    }


def _stage(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next((stage for stage in data["stages"] if stage["name"] == name), {})


def _question(data: Mapping[str, Any]) -> str:
    said = _stage(data, "query").get("detail", {})
    texts = (said.get("text", ""), *said.get("variants", ()), *said.get("passages", ()))
    return "\n".join(text for text in texts if text)


def _hits(answer: Mapping[str, Any]) -> str:
    return "\n".join(f"{hit['chunk']} {hit['score']:.6f} {hit['title']}" for hit in answer["hits"])


def _evidence(data: Mapping[str, Any]) -> str:
    return "\n".join(f"[{item['marker']}] {item['text']}" for item in data["evidence"])


def _prompt(data: Mapping[str, Any]) -> str:
    messages = _stage(data, "generate").get("detail", {}).get("prompt", ())
    return "\n\n".join(f"{message['role']}: {message['text']}" for message in messages)


def _citations(answer: Mapping[str, Any]) -> str:
    return "\n".join(
        f"[{one['marker']}] {one['document']}:{one['start']}-{one['end']}"
        f"{'' if one['supported'] else ' ?'}"
        for one in answer["citations"]
    )
