"""Bounds that hold at every look and for every measure at once, on made-up items whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest

from prism.train.retention.bounds import SPENT_SHARE, Bounds, SequentialBounds, Spending, spent
from prism.train.retention.degradation import Floats

ITEMS, LOOKS, COUNT, RATE, RUNS = 120, 6, 2_000, 0.1, 600

Draw = Callable[[np.random.Generator], Floats]


def heavy_tails(generator: np.random.Generator) -> Floats:
    return generator.standard_t(3, ITEMS)


def skewed(generator: np.random.Generator) -> Floats:
    """A few items gain much, most lose a little: the mean is 0."""
    return np.exp(0.5) - generator.lognormal(0, 1, ITEMS)


def paths(generator: np.random.Generator, draw: Draw) -> Iterator[Floats]:
    """Losses of the items look by look, mean 0: each look is much like the one before."""
    now = draw(generator)
    for _ in range(LOOKS):
        now = 0.9 * now + np.sqrt(1 - 0.81) * draw(generator)
        yield now


def looks(
    bounds: SequentialBounds, generator: np.random.Generator, draw: Draw, truth: Floats
) -> Iterator[dict[str, Bounds]]:
    """What a run sees: two measures whose true degradation is `truth`, look by look."""
    bounds.restore({"low": [], "high": []})
    ones = np.ones(ITEMS)
    for look, (first, second) in enumerate(zip(paths(generator, draw), paths(generator, draw), strict=True)):
        changes = {"first": (first + truth[look], ones), "second": (second + truth[look], ones)}
        yield bounds.look((look + 1) / LOOKS, changes)


@pytest.fixture(scope="module")
def gate() -> SequentialBounds:
    return SequentialBounds({"first": ITEMS, "second": ITEMS}, RATE, "linear", COUNT)


@pytest.mark.parametrize("spending", get_args(Spending))
def test_what_may_be_spent_grows_from_nothing_to_the_rate(spending: Spending) -> None:
    values = [spent(spending, 0.01, time) for time in np.linspace(0, 1, 50)]
    assert values[0] == 0 and values[-1] == pytest.approx(0.01)
    assert all(before <= after for before, after in pairwise(values))


def test_obrien_fleming_spends_little_early() -> None:
    # 2 - 2 Phi(1.95996 / sqrt(t)) from a table of the normal distribution
    assert spent("obrien_fleming", 0.05, 0.2) == pytest.approx(1.17e-5, rel=0.01)
    assert spent("obrien_fleming", 0.05, 0.5) == pytest.approx(5.57e-3, rel=0.01)


@pytest.mark.parametrize("draw", [heavy_tails, skewed])
def test_bounds_miss_the_truth_anywhere_no_more_often_than_the_rate(gate: SequentialBounds, draw: Draw) -> None:
    generator = np.random.default_rng(11)
    truth = np.array([0.0, 1.0, 3.0, 2.0, 0.5, -1.0])  # it needn't stand still
    low = high = 0
    for _ in range(RUNS):
        seen = [list(look.values()) for look in looks(gate, generator, draw, truth)]
        low += any(one.low > true for look, true in zip(seen, truth, strict=True) for one in look)
        high += any(one.high < true for look, true in zip(seen, truth, strict=True) for one in look)
    assert low / RUNS <= RATE and high / RUNS <= RATE
    assert low + high > 0.05 * RATE * RUNS, "bounds that never miss are too wide to see anything"


def test_a_limit_that_is_set_on_the_way_keeps_the_rate(gate: SequentialBounds) -> None:
    """After an alarm the limit becomes what was lost by then plus 1; nothing more is lost: a second alarm is false."""
    generator = np.random.default_rng(12)
    truth = np.array([0.0, 1.5, 1.5, 1.5, 1.5, 1.5])
    switched = again = 0
    for _ in range(RUNS):
        limits, alarmed = {"first": 0.5, "second": 0.5}, False
        for seen in looks(gate, generator, heavy_tails, truth):
            over = [name for name, limit in limits.items() if seen[name].low > limit]
            false = any(limits[name] > 1.5 for name in over)
            again += false
            if false:
                break
            alarmed = alarmed or bool(over)
            limits |= {name: seen[name].estimate + 1 for name in over}
        switched += alarmed
    assert switched > 0.9 * RUNS
    assert again / RUNS <= RATE


@pytest.mark.parametrize("spending", get_args(Spending))
def test_resamples_cross_as_often_as_may_be_spent(spending: Spending) -> None:
    bounds = SequentialBounds({"first": ITEMS, "second": ITEMS}, RATE, spending, COUNT)
    for number, _ in enumerate(looks(bounds, np.random.default_rng(1), heavy_tails, np.zeros(LOOKS)), start=1):
        may = spent(spending, SPENT_SHARE * RATE, number / LOOKS) * (COUNT + 1)
        for crossed in bounds.state().values():
            assert max(0, may - 2) <= len(crossed) <= max(0, may - 1)


def test_a_look_at_which_nothing_may_be_spent_yet_says_nothing() -> None:
    bounds = SequentialBounds({"first": ITEMS}, 0.01, "obrien_fleming", COUNT)
    seen = bounds.look(0.1, {"first": (heavy_tails(np.random.default_rng(1)) + 50, np.ones(ITEMS))})["first"]
    assert seen.low == -np.inf and seen.high == np.inf
    later = bounds.look(1.0, {"first": (heavy_tails(np.random.default_rng(2)) + 50, np.ones(ITEMS))})["first"]
    assert 40 < later.low < later.estimate < later.high < 60


def test_bounds_go_on_bit_for_bit_from_their_state() -> None:
    truth = np.zeros(LOOKS)

    def opened() -> SequentialBounds:
        return SequentialBounds({"first": ITEMS, "second": ITEMS}, RATE, "linear", COUNT)

    whole = list(looks(opened(), np.random.default_rng(1), heavy_tails, truth))
    generator, now = np.random.default_rng(1), opened()
    changes = list(zip(paths(generator, heavy_tails), paths(generator, heavy_tails), strict=True))
    for look, (first, second) in enumerate(changes):
        state, now = now.state(), opened()  # a resume before every look
        now.restore(state)
        items = {"first": (first, np.ones(ITEMS)), "second": (second, np.ones(ITEMS))}
        assert now.look((look + 1) / LOOKS, items) == whole[look]


def test_what_is_lost_for_certain_is_seen_at_once() -> None:
    bounds = SequentialBounds({"first": ITEMS}, 0.01, "linear")
    lost = np.random.default_rng(1).standard_normal(ITEMS) + 1
    assert bounds.look(0.05, {"first": (lost, np.ones(ITEMS))})["first"].low > 0.3


def test_an_item_more_or_less_certain_counts_by_its_own_measure_only() -> None:
    """A second measure that moves wildly widens the first's bounds a little, not by its own size."""
    lost, ones = np.random.default_rng(1).standard_normal(ITEMS), np.ones(ITEMS)
    wild = 1e6 * np.random.default_rng(2).standard_normal(ITEMS)
    alone = SequentialBounds({"first": ITEMS}, 0.01, "linear").look(0.5, {"first": (lost, ones)})["first"]
    both = SequentialBounds({"first": ITEMS, "second": ITEMS}, 0.01, "linear").look(
        0.5, {"first": (lost, ones), "second": (wild, ones)}
    )["first"]
    assert alone.low > both.low > alone.low - 0.5 * (alone.estimate - alone.low)
