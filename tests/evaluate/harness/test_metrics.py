"""The harness's scores with intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import pytest

from prism.errors import UsageError
from prism.evaluate.harness.metrics import TaskScores, chosen, estimate, group_metrics

RIGHT = [1.0] * 12 + [0.0] * 28


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def perplexity(values: Sequence[tuple[float, int]]) -> float:
    """As the harness weighs documents: total log-likelihood over total words."""
    return math.exp(-sum(value for value, _ in values) / sum(words for _, words in values))


def test_a_mean_has_the_analytic_standard_error_and_an_interval_around_it() -> None:
    found = estimate(RIGHT, mean)
    assert found["value"] == 0.3
    assert found["stderr"] == pytest.approx(statistics.stdev(RIGHT) / 40**0.5)
    assert found["value"] - found["low"] == pytest.approx(1.96 * found["stderr"], rel=0.15)
    assert found["high"] - found["value"] == pytest.approx(1.96 * found["stderr"], rel=0.15)


def test_a_weighted_perplexity_is_resampled_by_document() -> None:
    documents = [(-3.0 * words * (1 + 0.1 * (words % 3 - 1)), words) for words in range(5, 45)]
    found = estimate(documents, perplexity)
    assert found["value"] == perplexity(documents)
    assert found["low"] < found["value"] < found["high"]
    assert found["stderr"] == pytest.approx((found["high"] - found["low"]) / 3.92, rel=0.2)


@pytest.mark.parametrize("by_size", [True, False])
def test_a_group_is_as_sure_as_its_tasks_together(by_size: bool) -> None:
    small = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0]
    members = [TaskScores({"acc": part}, {"acc": mean}) for part in (RIGHT, small)]
    weights = [40 / 48, 8 / 48] if by_size else [0.5, 0.5]
    value = weights[0] * mean(RIGHT) + weights[1] * mean(small)
    found = group_metrics({"acc": value}, members)["acc"]
    errors = [estimate(part, mean)["stderr"] for part in (RIGHT, small)]
    assert found["value"] == value
    assert found["stderr"] == pytest.approx(math.hypot(weights[0] * errors[0], weights[1] * errors[1]))
    assert found["high"] - found["low"] == pytest.approx(3.92 * found["stderr"], rel=0.25)


def test_a_metric_that_the_harness_does_not_give_is_told_with_those_it_gives() -> None:
    metrics = {"acc": {"value": 1.0}, "acc_norm": {"value": 0.5}}
    assert list(chosen(metrics, ["acc_norm"], "t")) == ["acc_norm"]
    with pytest.raises(UsageError, match=r"gives no f1.*Remedy: there are acc, acc_norm"):
        chosen(metrics, ["f1"], "t")
