"""The harness's scores as our metrics: each with a bootstrap interval over documents and a standard error."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prism.errors import UsageError
from prism.evaluate.statistics import LEVEL, mean_interval, ratio_interval

_RESAMPLES = 200
"""Of metrics that are no means; some take long."""
_SEED = 20_260_317


@dataclass(frozen=True)
class TaskScores:
    """Of one task that asks something: values by metric name, one a document, and how they become one figure."""

    values: Mapping[str, Sequence[Any]]
    aggregations: Mapping[str, Callable[[Sequence[Any]], float]]

    def metric(self, name: str) -> dict[str, Any]:
        """See `estimate`."""
        return estimate(self.values[name], self.aggregations[name])


def metric_name(metric: str, filter_name: str) -> str:
    """`acc`; with a filter of its own, `exact_match,strict-match`, as the harness writes it."""
    return metric if filter_name == "none" else f"{metric},{filter_name}"


def read_scores(samples: Sequence[Mapping[str, Any]], aggregations: Mapping[str, Any]) -> TaskScores:
    """From the samples that the harness logs of a task."""
    values: dict[str, list[Any]] = {}
    for sample in samples:
        for metric in sample["metrics"]:
            values.setdefault(metric_name(metric, sample["filter"]), []).append(sample[metric])
    return TaskScores(values, {name: aggregations[name.partition(",")[0]] for name in values})


def estimate(values: Sequence[Any], aggregate: Callable[[Sequence[Any]], float]) -> dict[str, Any]:
    """Value, interval and standard error; those of means as in our other tasks, the rest by their own resamples."""
    value = float(aggregate(values))
    if _is_mean(values, value):
        plain = [float(one) for one in values]
        return {**mean_interval(plain).as_json(), "value": value, "stderr": _stderr(plain)}
    if len(values) < 2:
        return {"value": value, "low": value, "high": value, "stderr": None}
    generator = np.random.default_rng(_SEED)
    drawn = generator.integers(0, len(values), (_RESAMPLES, len(values)))
    resampled = [float(aggregate([values[place] for place in row])) for row in drawn]
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"value": value, "low": float(low), "high": float(high), "stderr": float(np.std(resampled, ddof=1))}


def group_metrics(values: Mapping[str, float], members: Sequence[TaskScores]) -> dict[str, Any]:
    """Of a group, by the values that the harness gives it: a mean over its tasks' means, by size or not.

    Its interval resamples the documents of all tasks, each weighing what it weighs in the value.
    """
    found = {}
    for name, value in values.items():
        parts = [[float(one) for one in member.values[name]] for member in members if name in member.values]
        sizes = [len(part) for part in parts]
        by_size = math.isclose(value, sum(map(sum, parts)) / sum(sizes), abs_tol=1e-12)
        weights = [size / sum(sizes) if by_size else 1 / len(sizes) for size in sizes]
        each = [weight / size for weight, size in zip(weights, sizes, strict=True)]
        pairs = [(one * share, share) for part, share in zip(parts, each, strict=True) for one in part]
        interval = ratio_interval([above for above, _ in pairs], [below for _, below in pairs])
        errors = [weight * (_stderr(part) or 0.0) for weight, part in zip(weights, parts, strict=True)]
        found[name] = {**interval.as_json(), "value": value, "stderr": math.hypot(*errors)}
    return found


def chosen(metrics: Mapping[str, Any], wanted: Sequence[str], task: str) -> dict[str, Any]:
    """The metrics that a task's `metrics` names, in that order; all where it names none.

    Raises:
        UsageError: the harness gives none of that name.
    """
    missing = [name for name in wanted if name not in metrics]
    if missing:
        raise UsageError(
            f"the harness gives no {', '.join(missing)}",
            place=f"metrics of task {task}",
            remedy=f"there are {', '.join(metrics) or 'none'}",
        )
    return {name: metrics[name] for name in wanted or metrics}


def _is_mean(values: Sequence[Any], value: float) -> bool:
    if not all(isinstance(one, int | float | np.number) for one in values):
        return False
    return math.isclose(value, math.fsum(map(float, values)) / len(values), rel_tol=1e-9, abs_tol=1e-12)


def _stderr(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
