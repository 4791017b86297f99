from __future__ import annotations

import json
from dataclasses import replace

from wenqu.options import AskOptions, SearchFilter
from wenqu.pipeline.record import Circumstances, as_asked, differences, new_id, record_of
from wenqu.types import Answer, AnswerRecord, Message, Outcome, Stage, Trace

HOW = AskOptions(
    history=(Message(role="user", text="xtuner 是什么？"),),
    where=SearchFilter(folders=("docs",), since="2024"),
    strict=True,
)
PROMPT = [{"role": "user", "text": "怎么装？"}]
ANSWER = Answer(
    outcome=Outcome.ANSWERED,
    text="用 pip 装[1]。",
    language="zh",
    trace=Trace(
        stages=(
            Stage(name="lexical", ms=1.25),
            Stage(name="generate", ms=900.0, detail={"prompt": PROMPT}),
        )
    ),
    model="made-model",
    id="0011223344",
)
CIRCUMSTANCES = Circumstances(
    kb=3, kb_name="made", kb_version=7, wenqu="1.0", made_with={"embedder": "e5:1", "model": "m"}
)


def record(answer: Answer = ANSWER, circumstances: Circumstances = CIRCUMSTANCES) -> AnswerRecord:
    return record_of("怎么装？", HOW, answer, (), circumstances)


def test_a_record_is_nothing_but_json() -> None:
    kept = record()
    again = json.loads(json.dumps(kept.data, ensure_ascii=False))
    assert again["answer"]["answer"] == "用 pip 装[1]。"
    assert [stage["name"] for stage in again["stages"]] == ["lexical", "generate"]
    assert (kept.id, kept.kb, kept.outcome) == ("0011223344", 3, "answered")


def test_the_options_of_a_record_come_back_as_they_were_given() -> None:
    kept = record()
    reread = replace(kept, data=json.loads(json.dumps(kept.data)))
    assert as_asked(reread) == HOW


def test_an_answer_that_took_another_time_is_the_same() -> None:
    slower = Trace(stages=tuple(replace(stage, ms=stage.ms * 3) for stage in ANSWER.trace.stages))
    assert differences(record(), record(replace(ANSWER, trace=slower, id="99"))) == []


def test_what_differs_is_named_causes_before_effects() -> None:
    later = replace(CIRCUMSTANCES, kb_version=8, made_with={"embedder": "e5:2", "model": "m"})
    other = replace(ANSWER, outcome=Outcome.NO_EVIDENCE, text="文档没有说。")
    found = differences(record(), record(other, later))
    assert [one.part for one in found] == ["documents", "made_with.embedder", "outcome", "answer"]
    assert (found[0].before, found[0].after) == ("7", "8")
    assert (found[1].before, found[1].after) == ("e5:1", "e5:2")


def test_a_skipped_stage_and_another_prompt_are_differences() -> None:
    stages = (
        Stage(name="lexical", ms=1.0),
        Stage(name="rerank", ms=150.0, skipped="0.15 s"),
        Stage(name="generate", ms=1.0, detail={"prompt": [{"role": "user", "text": "别的"}]}),
    )
    found = differences(record(), record(replace(ANSWER, trace=Trace(stages=stages))))
    assert [one.part for one in found] == ["skipped", "prompt"]
    assert found[0].after == "rerank"
    assert "别的" in found[1].after


def test_ids_are_short_and_never_the_same() -> None:
    made = {new_id() for _ in range(200)}
    assert len(made) == 200
    assert all(len(one) == 10 and int(one, 16) >= 0 for one in made)
