"""The figures of a run, by the names that claims use. Pass rates and accuracies in percent."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from prism.errors import RecipeError
from prism.report.results import RunResults, StageResults


class NotMeasured(Exception):
    """A figure whose stage hasn't been run; the message says which."""


class Figures:
    """Looks figures up in a run. Every public method is a function that claims can call."""

    def __init__(self, results: RunResults) -> None:
        self._results = results

    def pass_rate(self, stage: str, domain: str | None = None) -> float:
        """Sampled pass rate, mean over the generation tasks (of one domain)."""
        return self._generation(stage, "pass_rate", domain)

    def greedy(self, stage: str, domain: str | None = None) -> float:
        """Greedy pass rate, mean over the generation tasks (of one domain)."""
        return self._generation(stage, "pass_rate_greedy", domain)

    def spread(self, *stages: str) -> float:
        """Largest minus smallest pass rate of some stages."""
        rates = [self.pass_rate(stage) for stage in stages]
        return max(rates) - min(rates)

    def accuracy(self, stage: str, task: str) -> float:
        """Accuracy of a multiple-choice task."""
        return 100 * self._metric(stage, task, "accuracy")

    def bits_per_byte(self, stage: str, task: str) -> float:
        """Bits per byte of a task's documents."""
        return self._metric(stage, task, "bits_per_byte")

    def relative_l2(self, before: str, after: str) -> float:
        """Norm of the weight change over the norm of the weights, matrices only."""
        return float(self._analysis("weights", before, after)["total"]["relative_l2"])

    def unchanged(self, before: str, after: str) -> float:
        """Percent of the elements of matrices that changed by less than 1%."""
        return float(self._analysis("weights", before, after)["total"]["unchanged_percent"]["1"])

    def min_cka(self, before: str, after: str) -> float:
        """Least CKA over layers and input sets."""
        return float(self._analysis("cka", before, after)["minimum"])

    def footprint_correlation(self, before: str, after: str, other_before: str, other_after: str) -> float:
        """Pearson correlation of relative L2 over sub-components of two changes."""
        first, second = (
            self._analysis("weights", *pair)["by_sub_component"]
            for pair in ((before, after), (other_before, other_after))
        )
        names = [name for name in first if name in second and first[name]["relative_l2"] is not None]
        return _correlation([first[n]["relative_l2"] for n in names], [second[n]["relative_l2"] for n in names])

    def functions(self) -> dict[str, Any]:
        """By the names that claims use."""
        names = (
            "pass_rate greedy spread accuracy bits_per_byte relative_l2 unchanged min_cka footprint_correlation"
        ).split()
        return {name: getattr(self, name) for name in names}

    def _stage(self, name: str) -> StageResults:
        stages = self._results.stages
        if name not in stages:
            raise RecipeError(f"no stage {name!r}", remedy=_nearest(name, stages))
        return stages[name]

    def _generation(self, stage: str, metric: str, domain: str | None) -> float:
        tasks = [
            task
            for task in self._stage(stage).evaluation.values()
            if task["kind"] == "generate" and metric in task["metrics"] and domain in (None, task["domain"])
        ]
        if not tasks:
            raise NotMeasured(f"{stage} has no {metric}" + (f" in {domain}" if domain else ""))
        return float(100 * sum(task["metrics"][metric]["value"] for task in tasks) / len(tasks))

    def _metric(self, stage: str, task: str, metric: str) -> float:
        tasks = self._stage(stage).evaluation
        if task not in tasks:
            known = self._results.recipe.get("evaluate", {}).get("tasks", [])
            if task not in known:
                raise RecipeError(f"no task {task!r}", remedy=_nearest(task, dict.fromkeys(known)))
            raise NotMeasured(f"{task} wasn't run on {stage}")
        if metric not in tasks[task]["metrics"]:
            raise NotMeasured(f"{task} has no {metric}")
        return float(tasks[task]["metrics"][metric]["value"])

    def _analysis(self, what: str, before: str, after: str) -> Mapping[str, Any]:
        for stage in (before, after):
            self._stage(stage)
        found = getattr(self._results, what).get((before, after))
        if found is None or (what == "cka" and found["minimum"] is None):
            raise NotMeasured(f"{before} and {after} weren't compared")
        analysis: Mapping[str, Any] = found
        return analysis


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def _correlation(x: list[float], y: list[float]) -> float:
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    spread_x, spread_y = sum((a - mean_x) ** 2 for a in x), sum((b - mean_y) ** 2 for b in y)
    return float(covariance / (spread_x * spread_y) ** 0.5)
