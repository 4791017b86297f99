"""Choosing settings by a user's questions."""

from __future__ import annotations

import numpy as np
import pytest

from wenqu.errors import InputError
from wenqu.evaluation.tune import FEWEST, Setting, grid, tuned

PRESENT = Setting(chunk_tokens=256, lexical_weight=0.5, candidates=100, rerank=False)
BETTER = Setting(chunk_tokens=256, lexical_weight=0.2, candidates=100, rerank=False)
BIGGER = Setting(chunk_tokens=400, lexical_weight=0.2, candidates=100, rerank=False)


def test_a_setting_that_is_better_on_all_questions_is_found_and_its_gain_is_held_out() -> None:
    before = np.random.default_rng(1).random(60) * 0.5
    found = tuned({PRESENT: before.tolist(), BETTER: (before + 0.3).tolist()}, PRESENT, "nDCG@10")
    assert found.chosen == BETTER
    assert found.picks == {BETTER: 5}
    assert found.gain.difference == pytest.approx(0.3)
    assert found.is_worthwhile


def test_chance_is_not_taken_for_a_gain() -> None:
    random = np.random.default_rng(3)
    recommended = 0
    for _ in range(40):
        present = random.random(50)
        values = {PRESENT: present.tolist()}
        for weight in (0.0, 0.2, 0.35, 0.65, 0.8, 1.0):
            other = Setting(chunk_tokens=256, lexical_weight=weight, candidates=100, rerank=False)
            noise = random.normal(0, 0.2, 50)
            values[other] = (present + noise).tolist()
        recommended += tuned(values, PRESENT, "nDCG@10").is_worthwhile
    assert recommended <= 4


def test_what_is_reported_is_less_than_what_the_choice_saw() -> None:
    random = np.random.default_rng(5)
    seen, held_out = [], []
    for _ in range(30):
        values = {
            Setting(chunk_tokens=256, lexical_weight=at / 10, candidates=100, rerank=False): (
                random.random(30).tolist()
            )
            for at in range(11)
        }
        found = tuned(values, PRESENT, "recall@1")
        seen.append(found.seen.difference)
        held_out.append(found.gain.difference)
    assert np.mean(seen) > 0.05
    assert np.mean(held_out) < 0.03


def test_of_equal_settings_the_one_that_changes_least_is_taken() -> None:
    before, after = [0.2, 0.4] * 15, [0.6, 0.8] * 15
    found = tuned({PRESENT: before, BIGGER: after, BETTER: after}, PRESENT, "nDCG@10")
    assert found.chosen == BETTER
    assert found.chosen.changes(PRESENT) == {"lexical_weight": 0.2}


def test_too_few_questions_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        tuned({PRESENT: [0.5] * (FEWEST - 1)}, PRESENT, "nDCG@10")
    assert caught.value.key == "error.tune_few"


def test_the_grid_begins_with_the_present_setting_and_has_each_one_once() -> None:
    settings = grid(PRESENT, (128, 256), reranker=False)
    assert settings[0] == PRESENT
    assert len(settings) == len(set(settings))
    assert {one.chunk_tokens for one in settings} == {128, 256}
    assert not any(one.rerank for one in settings)
    assert {one.rerank for one in grid(PRESENT, (), reranker=True)} == {True, False}


def test_what_tuning_says_is_data() -> None:
    values = {PRESENT: [0.2, 0.4] * 15, BETTER: [0.6, 0.8] * 15}
    said = tuned(values, PRESENT, "nDCG@10").to_json()
    assert said["worthwhile"] is True
    assert said["chosen"] == {
        "chunk_tokens": 256,
        "lexical_weight": 0.2,
        "candidates": 100,
        "rerank": False,
    }
    assert said["picks"] == [{**said["chosen"], "folds": 5}]
