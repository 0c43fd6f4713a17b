"""From responses to rewards."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import pytest

from prism.errors import RecipeError
from prism.recipe import RewardsConfig, load_recipe
from prism.score import Verdict
from prism.score.rewards import TERMS, Answered, Judged, judge

ROW = {"id": "one", "prompt": "1 + 2 ?", "answer": "3", "verifier": {"kind": "exact"}}
RIGHT = "<think> t </think> 3"
PLAIN = (1, 2, 3, 4, 5)
STUCK = (1, 2, 3, 4) * 5


def one(text: str, tokens: tuple[int, ...] = PLAIN, stopped: bool = True, **rewards: dict[str, Any]) -> Judged:
    return judge([Answered(ROW, text, tokens, stopped)], RewardsConfig.model_validate(rewards))[0]


def test_only_a_right_answer_in_form_that_stops_is_rewarded() -> None:
    assert one(RIGHT).reward == 1.0
    assert one("<think> t </think> 4").reward == 0.0
    assert one("3").reward == 0.0


def test_a_right_answer_that_doesnt_stop_loses_its_reward_and_is_penalised() -> None:
    cut = one(RIGHT, stopped=False)
    assert cut.terms == {"correct": 0.0, "missing_stop": -0.1, "repetition": 0.0}
    assert cut.reward == pytest.approx(-0.1)


def test_penalties_reach_responses_outside_the_format() -> None:
    assert one("3", STUCK, stopped=False).reward == pytest.approx(-0.2)
    assert one("3", STUCK, repetition={"weight": -0.2}).reward == pytest.approx(-0.2)


def test_a_repeating_right_answer_pays_the_penalty() -> None:
    judged = one(RIGHT, STUCK)
    assert judged.terms == {"correct": 1.0, "missing_stop": 0.0, "repetition": -0.1}
    assert judged.reward == pytest.approx(0.9)


def test_what_is_solved_doesnt_depend_on_weights() -> None:
    assert one(RIGHT, STUCK, correct={"weight": 0.0}).solved
    assert not one(RIGHT, stopped=False).solved
    assert not one("3").solved
    assert not one("<think> t </think> 4", format={"weight": 1.0}).solved


def test_gates_of_a_term_are_chosen_in_the_recipe() -> None:
    assert one("3", correct={"behind": []}).reward == 1.0
    assert one("3", correct={"behind": ["stop"]}).reward == 1.0
    assert one("3", correct={"behind": ["format"]}).reward == 0.0
    assert one("3", STUCK, repetition={"behind": ["format"]}).reward == 0.0
    assert one(RIGHT, STUCK, repetition={"behind": ["format"]}).reward == pytest.approx(0.9)
    assert one(RIGHT, stopped=False, correct={"behind": ["format"]}).terms["correct"] == 1.0


def test_other_terms_are_there_for_the_asking() -> None:
    assert one("<think> t </think> 4", format={"weight": 0.25}).reward == 0.25
    long = {"weight": -0.5, "from_tokens": 3, "to_tokens": 7}
    assert one(RIGHT, overlong=long).terms["overlong"] == pytest.approx(-0.25)


def test_a_term_of_weight_zero_is_left_out() -> None:
    off = one(RIGHT, STUCK, False, repetition={"weight": 0}, missing_stop={"weight": 0})
    assert off.terms == {"correct": 0.0} and off.reward == 0.0


def test_no_term_is_minus_zero() -> None:
    assert all(math.copysign(1.0, value) == 1.0 for value in one(RIGHT).terms.values())


def test_every_term_has_a_key_of_the_recipe_and_every_key_a_term() -> None:
    assert set(TERMS) == set(RewardsConfig.model_fields)


def test_responses_keep_their_order_and_the_verdict_goes_with_them() -> None:
    texts = [RIGHT, "<think> t </think> 4", "3"]
    judged = judge([Answered(ROW, text, PLAIN, True) for text in texts], RewardsConfig())
    assert [one.verdict for one in judged] == [
        Verdict(True, True, "3"),
        Verdict(False, True, "4"),
        Verdict(True, False, "3"),
    ]
    assert judge([], RewardsConfig()) == []


@pytest.mark.parametrize(
    ("override", "reward"),
    [("repetition.weight=0", 0.0), ("repetition.weight=-0.4", -0.4), ("repetition.times=5", 0.0)],
)
def test_one_override_switches_a_term_off_or_changes_it(override: str, reward: float) -> None:
    rewards = load_recipe("miniature", [f"rl.rewards.{override}"]).rl.rewards
    assert judge([Answered(ROW, "3", STUCK, True)], rewards)[0].reward == pytest.approx(reward)
    assert rewards.correct == RewardsConfig().correct and rewards.missing_stop == RewardsConfig().missing_stop


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("repetition.weight=0.1", "rl.rewards.repetition.weight"),
        ("correct.weight=-1", "rl.rewards.correct.weight"),
        ("repetitoin.weight=0", "rl.rewards.repetitoin.*repetition"),
        ("correct.behind=[stopp]", "rl.rewards.correct.behind"),
        ("overlong.from_tokens=20000", "from_tokens .20000. must be smaller than to_tokens"),
    ],
)
def test_a_wrong_key_or_sign_is_named(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("miniature", [f"rl.rewards.{override}"])


def test_responses_that_need_no_math_verify_start_no_worker() -> None:
    """As many as a step of the miniature has."""
    program = (
        "from prism.recipe import RewardsConfig\n"
        "from prism.score.math import _pool\n"
        "from prism.score.rewards import Answered, judge\n"
        "choice = {'kind': 'choice', 'choices': ['ice', 'iron'], 'template': 'answer_letter'}\n"
        "rows = [{'prompt': '?', 'answer': '42', 'verifier': {'kind': 'math'}},\n"
        "        {'prompt': '?', 'answer': 'iron', 'verifier': choice}]\n"
        "texts = ['<think> 6 * 7 = 42 </think> #### {}', '<think> it rusts </think> Answer: B']\n"
        "items = [Answered(rows[n % 2], texts[n % 2].format(n), tuple(range(24)), True) for n in range(256)]\n"
        "print(sum(one.solved for one in judge(items, RewardsConfig())))\n"
        "print(sum(worker._process is not None for worker in _pool()._workers))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["129", "0"]


def test_judging_is_pure() -> None:
    items = [Answered(ROW, text, STUCK, True) for text in (RIGHT, "3", "")]
    assert judge(items, RewardsConfig()) == judge(items, RewardsConfig())
