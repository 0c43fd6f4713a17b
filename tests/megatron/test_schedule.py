"""Learning rates against their closed forms, at the paper's numbers and at the edges."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from prism.megatron.schedule import learning_rate
from prism.recipe.schema.optimizer import ScheduleConfig

PEAK = 5e-5


def rates(steps: int, kind: str, warmup: int, final: float) -> list[float]:
    schedule = ScheduleConfig.model_validate({"kind": kind, "warmup_steps": warmup, "final_fraction": final})
    return [learning_rate(step, steps, PEAK, schedule) for step in range(1, steps + 1)]


def test_the_papers_mid_training_is_a_cosine_to_a_tenth() -> None:
    found = rates(25_000, "cosine", 500, 0.1)
    for step in (1, 250, 500):
        assert found[step - 1] == pytest.approx(PEAK * step / 500)
    for step in (501, 12_750, 24_999, 25_000):
        angle = math.pi * (step - 500) / 24_500
        assert found[step - 1] == pytest.approx(PEAK * (0.1 + 0.9 * (1 + math.cos(angle)) / 2))
    assert found[12_749] == pytest.approx(PEAK * 0.55)
    assert found[-1] == pytest.approx(0.1 * PEAK)


def test_the_papers_extension_is_an_exponential_to_nothing() -> None:
    found = rates(1_000, "exponential", 100, 0.0)
    assert found[99] == pytest.approx(PEAK)
    for step in (101, 550, 999):
        assert found[step - 1] == pytest.approx(PEAK * 1e-3 ** ((step - 100) / 900))
    assert found[-1] == 0


@pytest.mark.parametrize("final", [0.5, 0.1, 1e-5])
def test_an_exponential_falls_by_the_same_share_every_step(final: float) -> None:
    found = rates(200, "exponential", 20, final)
    ratios = [after / before for before, after in pairwise(found[19:])]
    assert ratios == pytest.approx([final ** (1 / 180)] * 180)
    assert found[-1] == pytest.approx(final * PEAK)


def test_the_papers_rl_is_a_straight_line_to_nothing_without_warm_up() -> None:
    found = rates(1_000, "linear", 0, 0.0)
    assert found == pytest.approx([PEAK * (1 - step / 1_000) for step in range(1, 1_001)], abs=1e-20)


def test_a_line_may_end_above_nothing() -> None:
    assert rates(10, "linear", 5, 0.2)[4:] == pytest.approx(
        [PEAK * share for share in (1, 0.84, 0.68, 0.52, 0.36, 0.2)]
    )


def test_a_constant_rate_stays() -> None:
    assert rates(6, "constant", 2, 0.1) == pytest.approx([PEAK / 2, *[PEAK] * 5])


@pytest.mark.parametrize("kind", ["cosine", "linear", "exponential", "constant"])
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 1), (5, 5), (5, 50), (5, 4), (5, 0)])
@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_every_schedule_stays_between_floor_and_peak(kind: str, steps: int, warmup: int, final: float) -> None:
    found = rates(steps, kind, warmup, final)
    assert all(0 <= rate <= PEAK * (1 + 1e-12) for rate in found)
    after = found[warmup:]
    assert all(rate >= final * PEAK * (1 - 1e-12) for rate in after)
    assert after == sorted(after, reverse=True)
    if after and kind != "constant":
        assert after[-1] == pytest.approx(final * PEAK, abs=1e-20)
