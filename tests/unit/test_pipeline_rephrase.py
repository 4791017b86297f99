"""What is searched for, made of what was asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wenqu.options import AskOptions
from wenqu.pipeline.rephrase import Rephraser
from wenqu.pipeline.stopwatch import Stopwatch
from wenqu.testing.chat import ScriptedChat
from wenqu.types import Message, Query

if TYPE_CHECKING:
    from wenqu.types import Stage

HISTORY = (
    Message(role="user", text="XTuner 是什么？"),
    Message(role="assistant", text="XTuner 是微调工具库。"),
)
TALK = AskOptions(history=HISTORY)


def ask(
    rephraser: Rephraser, question: str, how: AskOptions = TALK
) -> tuple[Query, dict[str, Stage]]:
    watch = Stopwatch()
    query = asyncio.run(rephraser.query(question, how, watch))
    return query, {stage.name: stage for stage in watch.stages}


def test_a_question_without_a_conversation_is_searched_for_as_it_is() -> None:
    chat = ScriptedChat("LMDeploy 怎么安装？")
    query, stages = ask(Rephraser(chat=chat), "它怎么安装？", AskOptions())
    assert query == Query(text="它怎么安装？")
    assert stages == {}
    assert chat.prompts == []


def test_a_question_that_stands_by_itself_costs_no_call() -> None:
    chat = ScriptedChat("XTuner 怎么安装？")
    query, stages = ask(Rephraser(chat=chat), "LMDeploy 怎么量化模型？")
    assert query == Query(text="LMDeploy 怎么量化模型？")
    assert stages["followup"].detail["leans"] is None
    assert chat.prompts == []


def test_a_follow_up_is_completed_by_the_model_and_the_original_is_searched_for_too() -> None:
    chat = ScriptedChat("XTuner 怎么安装？\n因为它指 XTuner。")
    query, stages = ask(Rephraser(chat=chat), "它怎么安装？")
    assert query.text == "XTuner 怎么安装？"
    assert query.variants[0] == "它怎么安装？"
    assert stages["followup"].detail["leans"] == "reference"
    assert stages["rewrite"].skipped is None
    assert chat.stopped == 1


def test_without_a_model_rules_complete_it() -> None:
    query, stages = ask(Rephraser(), "它怎么安装？")
    assert query == Query(text="XTuner：它怎么安装？", variants=("它怎么安装？",))
    assert "rewrite" not in stages


def test_who_wants_no_model_or_gives_it_no_time_gets_the_rules() -> None:
    chat = ScriptedChat("XTuner 怎么安装？")
    without = AskOptions(history=HISTORY, use_llm=False, wordings=2, imagine=True)
    assert ask(Rephraser(chat=chat), "它怎么安装？", without)[0].text == "XTuner：它怎么安装？"
    assert ask(Rephraser(chat=chat, budget_s=0), "它怎么安装？")[0].text == "XTuner：它怎么安装？"
    assert chat.prompts == []


def test_a_model_that_is_too_slow_is_stopped_and_the_trace_says_so() -> None:
    chat = ScriptedChat("XTuner 怎么安装？", delay_s=5)
    query, stages = ask(Rephraser(chat=chat, budget_s=0.05), "它怎么安装？")
    assert query.text == "XTuner：它怎么安装？"
    assert stages["rewrite"].skipped == "> 0.05 s"
    assert chat.stopped == 1


def test_a_model_that_fails_is_done_without() -> None:
    chat = ScriptedChat("XTuner 怎么安装？", fail_after=0)
    query, stages = ask(Rephraser(chat=chat), "它怎么安装？")
    assert query.text == "XTuner：它怎么安装？"
    assert stages["rewrite"].skipped is not None


def test_a_reply_that_answers_is_not_searched_for() -> None:
    chat = ScriptedChat("用 pip 安装 XTuner。")
    query, stages = ask(Rephraser(chat=chat), "它怎么安装？")
    assert query.text == "XTuner：它怎么安装？"
    assert stages["rewritten"].detail["refused"] == "answer"


def test_what_may_lean_is_searched_for_both_ways_without_a_call() -> None:
    chat = ScriptedChat("XTuner 企业版多少钱？")
    query, _ = ask(Rephraser(chat=chat), "企业版多少钱？")
    assert query == Query(text="企业版多少钱？", variants=("XTuner：企业版多少钱？",))
    assert chat.prompts == []


def test_a_long_question_says_what_it_is_about() -> None:
    question = "它" + "报错信息" * 200
    assert ask(Rephraser(), question)[0] == Query(text=question)


def test_words_of_answers_are_not_added_by_rules() -> None:
    history = (
        Message(role="user", text="你好"),
        Message(role="assistant", text="LMDeploy 是部署工具。"),
    )
    query, _ = ask(Rephraser(), "它怎么安装？", AskOptions(history=history))
    assert query == Query(text="它怎么安装？")


def test_wordings_and_a_passage_come_from_one_call() -> None:
    reply = "问：XTuner 如何安装？\n问：怎样装好 XTuner？\n文：用 pip install xtuner 安装 XTuner。"
    chat = ScriptedChat(reply)
    how = AskOptions(wordings=2, imagine=True)
    query, stages = ask(Rephraser(chat=chat), "XTuner 怎么安装？", how)
    assert query.variants == ("XTuner 如何安装？", "怎样装好 XTuner？")
    assert query.passages == ("用 pip install xtuner 安装 XTuner。",)
    assert len(chat.prompts) == 1
    assert stages["expand"].skipped is None


def test_what_was_written_before_the_time_was_up_is_used() -> None:
    reply = "问：XTuner 如何安装？\n" + "文" * 400
    chat = ScriptedChat(reply, hold_at=5)
    how = AskOptions(wordings=1, imagine=True)
    query, stages = ask(Rephraser(chat=chat, expand_budget_s=1.5), "XTuner 怎么安装？", how)
    assert query.variants == ("XTuner 如何安装？",)
    assert query.passages == ()
    assert stages["expand"].skipped == "> 1.5 s"


def test_no_more_than_four_wordings_are_asked_for() -> None:
    chat = ScriptedChat("\n".join(f"问：XTuner 第{n}步怎么安装？" for n in "一二三四五六"))
    query, _ = ask(Rephraser(chat=chat), "XTuner 怎么安装？", AskOptions(wordings=9))
    assert len(query.variants) == 4
    assert "4个问" in chat.prompts[0][-1].text


def test_a_question_about_two_things_is_taken_apart_where_that_is_wanted() -> None:
    question = "LMDeploy 和 vLLM 的性能有什么区别？"
    query, stages = ask(Rephraser(), question, AskOptions(split=True))
    assert query == Query(text=question, variants=("LMDeploy性能", "vLLM性能"))
    assert stages["split"].detail["parts"] == 2
    assert ask(Rephraser(), question, AskOptions())[0].variants == ()


def test_the_same_question_gives_the_same_query() -> None:
    chat = ScriptedChat("XTuner 怎么安装？")
    rephraser = Rephraser(chat=chat)
    assert ask(rephraser, "它怎么安装？")[0] == ask(rephraser, "它怎么安装？")[0]
