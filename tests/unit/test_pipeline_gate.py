"""Answer, refuse, or "not a question": decided from words and scores alone."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wenqu import messages
from wenqu.errors import StoreError
from wenqu.pipeline.gate import (
    DEFAULT_MODEL,
    GateModel,
    Logistic,
    decide,
    features,
    gate_for,
)
from wenqu.protocols import StoredGate
from wenqu.types import Chunk, DocumentInfo, Hit, Language, Origin, Outcome

QUESTION = "How do I deploy InternLM with lmdeploy?"
COVERING = "Deploy InternLM with lmdeploy: start the server, then ask it."


def hit(
    text: str,
    dense: float,
    *,
    title: str = "",
    language: Language = "en",
    levelled: float | None = None,
    translated: float | None = None,
) -> Hit:
    scores = {Origin.DENSE: dense, Origin.FUSED: dense}
    more = {Origin.LEVELLED: levelled, Origin.TRANSLATED: translated}
    return Hit(
        chunk=Chunk(id=text[:16], document_id="d", text=text, start=0, end=len(text)),
        document=DocumentInfo(id="d", source="d.md", title=title, language=language),
        score=dense,
        origin=Origin.FUSED,
        scores=scores | {origin: one for origin, one in more.items() if one is not None},
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


@pytest.mark.parametrize(
    ("question", "languages"),
    [("附近有什么好吃的？", ("zh", "en")), ("Who won the world cup?", ("en", "zh"))],
)
def test_a_question_about_something_else_is_refused(
    question: str, languages: tuple[Language, Language]
) -> None:
    first, second = languages
    hits = [hit(COVERING, 0.78, language=first), hit("Steps.", 0.775, language=second)]
    decision = decide(question, hits)
    assert decision.outcome is Outcome.OUT_OF_SCOPE
    assert decision.probability < DEFAULT_MODEL.own.threshold


def test_a_chinese_question_over_english_documents_is_told_by_meaning() -> None:
    near, far = "Start the API server to serve the model.", "Release notes."
    decision = decide("怎样启动服务来部署模型？", [hit(near, 0.88, levelled=0.09), hit(far, 0.8)])
    assert decision.features["foreign"] == 1.0
    assert decision.outcome is None
    unlike = decide("怎样启动服务来部署模型？", [hit(near, 0.88, levelled=0.01), hit(far, 0.8)])
    assert unlike.outcome is Outcome.OUT_OF_SCOPE


def test_words_that_a_dictionary_finds_tell_a_question_across_languages() -> None:
    chances = [
        decide("怎样启动服务？", [hit("Start it.", 0.8, levelled=0.05, translated=share)])
        for share in (0.0, None, 0.4, 0.8)
    ]
    assert [one.probability for one in chances] == sorted(one.probability for one in chances)
    assert chances[0].outcome is Outcome.OUT_OF_SCOPE
    assert chances[-1].outcome is None


def test_a_hit_across_languages_is_weighed_against_the_best_of_either() -> None:
    first, second = hit("Server.", 0.9, levelled=0.08), hit("Other.", 0.8, levelled=0.04)
    own = hit("服务器。", 0.8, language="zh", levelled=0.08)
    question = "怎样启动服务？"
    assert features(question, [first, second])["gap"] == pytest.approx(0.04)
    assert features(question, [first, second, own])["gap"] == pytest.approx(-0.01)
    alone = decide(question, [first, second]).probability
    assert decide(question, [first, second, own]).probability < alone


def test_a_passage_in_the_questions_language_is_none_of_another_for_its_document() -> None:
    # Nothing is levelled where all passages are in the question's language.
    values = features(QUESTION, [hit(COVERING, 0.9, language="zh")])
    assert values["foreign"] == 0.0
    assert values["likeness"] == pytest.approx(0.9)


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


def test_a_single_hit_has_the_usual_lead_for_it_is_ahead_of_nobody() -> None:
    alone = features(QUESTION, [hit(COVERING, 0.9)])
    assert alone["lead"] == pytest.approx(0.03)
    assert decide(QUESTION, [hit(COVERING, 0.9)]).outcome is None


def test_each_further_hit_makes_the_measured_lead_count_more() -> None:
    others = [hit(f"Release notes {number}.", 0.80) for number in range(9)]
    leads = [features(QUESTION, [hit(COVERING, 0.9), *others[:n]])["lead"] for n in range(10)]
    assert leads == sorted(leads)
    assert leads[-1] == pytest.approx(0.1)


def test_a_hit_without_a_dense_score_is_nobody_to_be_ahead_of() -> None:
    near, other = hit(COVERING, 0.9), hit("Release notes.", 0.8)
    unscored = replace(hit("Something.", 0.0), scores={Origin.LEXICAL: 1.0})
    leads = [features(QUESTION, hits)["lead"] for hits in ([near, other], [near, other, unscored])]
    assert leads[0] == leads[1]
    assert features(QUESTION, [unscored])["likeness"] == 0.0


def worded(text: str, lexical: float) -> Hit:
    found = hit(text, 0.85)
    return replace(found, scores={**found.scores, Origin.LEXICAL: lexical})


def test_words_found_in_one_place_lead_and_words_found_everywhere_do_not() -> None:
    ahead = [worded(COVERING, 9.0), *(worded(f"Deploy {n}.", 1.0) for n in range(9))]
    level = [worded(COVERING, 9.0), *(worded(f"Deploy {n}.", 9.0) for n in range(9))]
    assert features(QUESTION, ahead)["lexical_lead"] > 0.3
    assert features(QUESTION, level)["lexical_lead"] == 0.0


def test_a_lexical_lead_on_few_words_counts_little() -> None:
    hits = [worded("Deploy.", 9.0), *(worded(f"Other {n}.", 0.0) for n in range(9))]
    assert features(QUESTION, hits)["lexical_lead"] < 0.3


def test_words_in_one_sentence_cover_more_than_words_in_two() -> None:
    together = features(QUESTION, [hit("Deploy InternLM with lmdeploy.", 0.85)])
    apart = features(QUESTION, [hit("Deploy InternLM. It is called lmdeploy.", 0.85)])
    assert together["coverage"] > apart["coverage"] > 0.0


def test_a_decision_says_its_threshold_and_its_note() -> None:
    decision = decide(QUESTION, [hit(COVERING, 0.9)], note="gate.fitted")
    assert decision.threshold == DEFAULT_MODEL.own.threshold
    assert decision.note == "gate.fitted"


def test_a_gate_fitted_with_the_embedder_in_use_decides() -> None:
    judge = Logistic(bias=-50.0, weights=MappingProxyType({"likeness": 1.0}), threshold=0.5)
    data = replace(DEFAULT_MODEL, own=judge).to_data()
    stored = StoredGate(embedder="e5", data=data)
    gate = gate_for(stored, "e5")
    assert gate.fitted
    assert gate(QUESTION, [hit(COVERING, 0.9)]).outcome is Outcome.OUT_OF_SCOPE


def test_a_gate_fitted_with_another_embedder_is_left_aside_and_the_decision_says_so() -> None:
    judge = Logistic(bias=-50.0, weights=MappingProxyType({"likeness": 1.0}), threshold=0.5)
    data = replace(DEFAULT_MODEL, own=judge).to_data()
    gate = gate_for(StoredGate(embedder="other", data=data), "e5")
    decision = gate(QUESTION, [hit(COVERING, 0.9)])
    assert not gate.fitted
    assert decision.outcome is None
    assert decision.note == "gate.other_embedder"
    assert messages.text("gate.other_embedder", "zh")


def test_without_a_stored_gate_the_one_that_ships_decides() -> None:
    gate = gate_for(None, "e5")
    hits = [hit(COVERING, 0.9), hit("Release notes.", 0.8)]
    assert gate(QUESTION, hits) == decide(QUESTION, hits)


def test_a_model_survives_being_stored() -> None:
    data = json.loads(json.dumps(DEFAULT_MODEL.to_data()))
    assert GateModel.from_data(data) == DEFAULT_MODEL


def test_of_a_gate_of_the_former_version_what_was_fitted_is_kept() -> None:
    lead = {"bias": -2.2, "weights": {"lead": 100.0}, "typical": {}, "threshold": 0.3}
    own = replace(DEFAULT_MODEL.own, threshold=0.4)
    data = {"version": 1, "own": own.to_data(), "foreign": lead}
    assert GateModel.from_data(data) == GateModel(own=own, foreign=DEFAULT_MODEL.foreign)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"version": 99},
        {**DEFAULT_MODEL.to_data(), "own": None},
        {**DEFAULT_MODEL.to_data(), "own": {"bias": 0.0}},
        {
            **DEFAULT_MODEL.to_data(),
            "own": {"bias": 0.0, "weights": {"magic": 1.0}, "typical": {}, "threshold": 0.5},
        },
        {
            **DEFAULT_MODEL.to_data(),
            "own": {"bias": "nan", "weights": {}, "typical": {}, "threshold": 0.5},
        },
    ],
)
def test_what_is_no_gate_of_this_version_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(StoreError) as refused:
        GateModel.from_data(broken)
    assert "gate reset" in (refused.value.hint() or "")


def test_contributions_and_bias_add_up_to_the_log_odds() -> None:
    values = features(QUESTION, [hit(COVERING, 0.9), hit("Release notes.", 0.8)])
    judge = DEFAULT_MODEL.own
    odds = math.exp(judge.bias + sum(judge.contributions(values).values()))
    assert judge.probability(values) == pytest.approx(odds / (1 + odds))


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


def test_hits_are_weighed_among_those_that_are_of_the_best_ones_side() -> None:
    english = hit("Server.", 0.9, levelled=0.08)
    chinese = hit("服务器。", 0.8, language="zh", levelled=0.06)
    question = "怎样启动服务？"
    for alone, other in ((english, chinese), (chinese, english)):
        both, single = features(question, [alone, other]), features(question, [alone])
        assert {**both, "gap": 0} == {**single, "gap": 0}
    assert features(question, [english, chinese])["foreign"] == 1.0
    assert features(question, [chinese, english])["foreign"] == 0.0


def test_a_question_whose_answer_is_in_the_other_language_is_answered_beside_its_own() -> None:
    question = "怎样启动服务？"
    others = [hit("Other things.", 0.8, levelled=0.03) for _ in range(4)]
    foreign = [hit("Server.", 0.84, levelled=0.08, translated=0.5), *others]
    own = [hit("别的事情。", 0.83, language="zh", levelled=0.05) for _ in range(5)]
    assert decide(question, foreign).outcome is None
    assert decide(question, [*foreign, *own]).outcome is None
    assert decide(question, own).outcome is Outcome.OUT_OF_SCOPE


def test_todays_weather_is_refused_even_where_a_document_holds_the_question() -> None:
    hits = [hit('print(agent("今天天气怎么样？"))', 0.93, language="zh")]
    decision = decide("今天天气怎么样？", hits)
    assert decision.outcome is Outcome.OUT_OF_SCOPE
    assert decision.reason == "gate.now"
