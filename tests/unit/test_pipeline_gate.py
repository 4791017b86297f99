"""Answer, refuse, or "not a question": decided from words and scores alone."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wenqu import messages
from wenqu.pipeline.gate import DEFAULT_MODEL, GateModel, Logistic, decide, features
from wenqu.types import Chunk, DocumentInfo, Hit, Language, Origin, Outcome

QUESTION = "How do I deploy InternLM with lmdeploy?"
COVERING = "Deploy InternLM with lmdeploy: start the server, then ask it."


def hit(text: str, dense: float, *, title: str = "", language: Language = "en") -> Hit:
    return Hit(
        chunk=Chunk(id=text[:16], document_id="d", text=text, start=0, end=len(text)),
        document=DocumentInfo(id="d", source="d.md", title=title, language=language),
        score=dense,
        origin=Origin.FUSED,
        scores={Origin.DENSE: dense, Origin.FUSED: dense},
    )


def test_small_talk_is_no_question_whatever_was_found() -> None:
    decision = decide("谢谢！", [hit(COVERING, 0.95)])
    assert decision.outcome is Outcome.NOT_A_QUESTION
    assert decision.reason == "gate.chatter"


@given(st.text(max_size=60))
@settings(deadline=None)  # the first text with Chinese loads the segmenter
def test_any_text_gets_a_decision_with_a_reason_in_both_languages(question: str) -> None:
    decision = decide(question, [hit(COVERING, 0.9), hit("Something else.", 0.8)])
    assert 0 <= decision.probability <= 1
    assert messages.text(decision.reason, "zh")
    assert messages.text(decision.reason, "en")


def test_without_hits_there_is_no_evidence() -> None:
    decision = decide(QUESTION, [])
    assert decision.outcome is Outcome.NO_EVIDENCE
    assert decision.probability == 0.0


def test_a_question_that_the_best_hit_covers_is_answered() -> None:
    decision = decide(QUESTION, [hit(COVERING, 0.90), hit("Release notes.", 0.80)])
    assert decision.outcome is None
    assert decision.probability >= DEFAULT_MODEL.own.threshold


@pytest.mark.parametrize("question", ["附近有什么好吃的？", "Who won the world cup?"])
def test_a_question_about_something_else_is_refused(question: str) -> None:
    hits = [hit(COVERING, 0.78), hit("安装 xtuner 的步骤。", 0.775, language="zh")]
    decision = decide(question, hits)
    assert decision.outcome is Outcome.OUT_OF_SCOPE
    assert decision.probability < DEFAULT_MODEL.own.threshold


def test_a_chinese_question_over_english_documents_is_told_by_meaning() -> None:
    hits = [hit("Start the API server to serve the model.", 0.88), hit("Release notes.", 0.80)]
    decision = decide("怎样启动服务来部署模型？", hits)
    assert decision.features["foreign"] == 1.0
    assert decision.outcome is None


def test_more_likeness_never_makes_a_refusal() -> None:
    others = [hit("Release notes.", 0.7)]
    chances = [
        decide(QUESTION, [hit(COVERING, dense), *others]).probability
        for dense in (0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
    ]
    assert chances == sorted(chances)


def test_words_that_every_question_has_cover_nothing() -> None:
    assert features("什么是这个？", [hit("这个是什么？", 0.8, language="zh")])["coverage"] == 0.0


def test_a_title_covers_as_well_as_the_text() -> None:
    untitled = features("xtuner 安装", [hit("pip install", 0.8)])
    titled = features("xtuner 安装", [hit("pip install", 0.8, title="xtuner 安装")])
    assert untitled["coverage"] == 0.0
    assert titled["coverage"] > 0.0


def test_a_single_hit_has_no_lead() -> None:
    assert features(QUESTION, [hit(COVERING, 0.9)])["lead"] == 0.0


def test_another_model_decides_by_its_own_threshold() -> None:
    hits = [hit(COVERING, 0.9)]
    judge = Logistic(bias=0.0, weights=MappingProxyType({"likeness": 1.0}), threshold=1.1)
    never = GateModel(own=judge, foreign=judge)
    always = GateModel(own=replace(judge, threshold=0.0), foreign=judge)
    assert decide(QUESTION, hits, model=never).outcome is Outcome.OUT_OF_SCOPE
    assert decide(QUESTION, hits, model=always).outcome is None


def test_one_word_that_agrees_says_less_than_five_of_five() -> None:
    short = features("lmdeploy", [hit(COVERING, 0.9)])
    long = features("start lmdeploy server deploy InternLM", [hit(COVERING, 0.9)])
    assert short["coverage"] < long["coverage"] < 1.0


def test_single_characters_cover_nothing_where_there_are_words() -> None:
    hits = [hit("天天向上，气象万千。", 0.85, language="zh")]
    assert features("今天天气", hits)["coverage"] < features("天天向上", hits)["coverage"]


def test_a_question_is_foreign_only_where_no_hit_is_of_its_language() -> None:
    english, chinese = hit("Server.", 0.9), hit("服务器。", 0.8, language="zh")
    assert features("怎样启动服务？", [english])["foreign"] == 1.0
    assert features("怎样启动服务？", [english, chinese])["foreign"] == 0.0


def test_todays_weather_is_refused_even_where_a_document_holds_the_question() -> None:
    hits = [hit('print(agent("今天天气怎么样？"))', 0.93, language="zh")]
    decision = decide("今天天气怎么样？", hits)
    assert decision.outcome is Outcome.OUT_OF_SCOPE
    assert decision.reason == "gate.now"
