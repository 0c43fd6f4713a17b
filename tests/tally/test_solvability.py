"""Windows of steps, their intervals, and how many prompts were ever solved."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from prism.tally.solvability import solvability, wilson


@dataclass(frozen=True)
class Step:
    step: int
    hard_prompts: Mapping[str, Mapping[str, tuple[int, int]]]


STEPS = [
    Step(1, {"0/16": {"a": (0, 4), "b": (0, 4)}, "1/16": {"m": (1, 4)}}),
    Step(2, {}),
    Step(3, {"0/16": {"a": (2, 4), "c": (0, 4)}}),
    Step(4, {"1/16": {"m": (4, 4)}}),
    Step(5, {"0/16": {"b": (0, 4)}}),
]


def test_steps_are_gathered_in_windows_and_prompts_counted_once() -> None:
    never, once = solvability(STEPS, steps_a_window=2)
    assert (never.before, never.prompts, never.solved) == ("0/16", 3, 1)
    assert [(row.first, row.last, row.prompts, row.responses, row.right) for row in never.windows] == [
        (1, 2, 2, 8, 0), (3, 4, 2, 8, 2), (5, 5, 1, 4, 0),
    ]  # fmt: skip
    assert [row.rate for row in never.windows] == [0, 0.25, 0]
    assert (once.before, once.prompts, once.solved) == ("1/16", 1, 1)
    assert [(row.first, row.rate) for row in once.windows] == [(1, 0.25), (3, 1.0)]


def test_without_a_size_there_are_ten_windows() -> None:
    steps = [Step(number, {"0/8": {"a": (number % 2, 8)}}) for number in range(1, 101)]
    (found,) = solvability(steps)
    assert [(row.first, row.last) for row in found.windows][::9] == [(1, 10), (91, 100)]
    assert solvability([]) == () and solvability([Step(1, {})]) == ()


def test_hardest_come_first() -> None:
    steps = [Step(1, {name: {"a": (1, 2)} for name in ("1/8", "0/8", "1/16", "0/16")})]
    assert [one.before for one in solvability(steps)] == ["0/16", "0/8", "1/16", "1/8"]


def test_an_interval_never_leaves_0_to_1_nor_loses_its_rate() -> None:
    for right, count in ((0, 1), (1, 1), (0, 400), (3, 7), (400, 400)):
        low, high = wilson(right / count, count)
        assert 0 <= low <= right / count <= high <= 1 and low < high
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)  # Wilson (1927)


def test_responses_to_one_prompt_widen_the_interval_when_they_are_alike() -> None:
    alike = solvability([Step(1, {"0/16": {str(n): (16 * (n % 2), 16) for n in range(10)}})])[0].windows[0]
    mixed = solvability([Step(1, {"0/16": {str(n): (8, 16) for n in range(10)}})])[0].windows[0]
    assert alike.rate == mixed.rate == 0.5
    assert (alike.low, alike.high) == pytest.approx(wilson(0.5, 10), abs=0.02)
    assert (mixed.low, mixed.high) == pytest.approx(wilson(0.5, 160))


def test_intervals_cover_the_rate_as_often_as_they_say() -> None:
    """Prompts of different hardness, eight responses each: the mean rate lies within at least nine times of ten."""
    draw, within = random.Random(1), 0
    for _ in range(300):
        rates = [draw.betavariate(1, 4) for _ in range(40)]
        counts = {str(n): (sum(draw.random() < rate for _ in range(8)), 8) for n, rate in enumerate(rates)}
        window = solvability([Step(1, {"0/16": counts})])[0].windows[0]
        within += window.low <= 0.2 <= window.high
    assert within >= 270
