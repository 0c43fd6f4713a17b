"""Checks the recipe's claims against the run's figures.

| function | value |
|---|---|
| `pass_rate(stage[, domain])` | percent of sampled responses that are right, mean over the generation tasks |
| `greedy(stage[, domain])` | the same with greedy decoding |
| `accuracy(stage, task)` | percent, of a multiple-choice task |
| `bits_per_byte(stage, task)` | of a likelihood task |
| `ruler(stage, length)` | percent, mean over the RULER tasks of that length in tokens |
| `spread(stage, ...)` | largest minus least `pass_rate` of the stages, in points |
| `relative_l2(before, after)` | norm of the weight change over norm of the old weights |
| `unchanged(before, after)` | percent of the weights that changed by less than 1% of themselves |
| `min_cka(before, after)` | least CKA over layers and input sets |
| `footprint_correlation(before, after, before, after)` | Pearson correlation of relative L2 over sub-components |
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from simpleeval import FunctionNotDefined, InvalidExpression, NameNotDefined, SimpleEval

from prism.errors import RecipeError
from prism.report.results import Results, Stage
from prism.report.shapes import Claim
from prism.report.weight_shapes import Change, WeightComparison

OF_EVALUATIONS = ("pass_rate", "greedy", "accuracy", "bits_per_byte", "ruler", "spread")
"""Functions that read what stages scored; their first arguments, or all, are stages."""
OF_PAIRS = ("relative_l2", "unchanged", "min_cka", "footprint_correlation")
"""Functions that read comparisons of two stages."""
_UNCHANGED_BELOW_PERCENT = 1.0
_BOUNDS: tuple[tuple[str, str, Callable[[float, float], bool]], ...] = (
    ("at_least", ">=", lambda value, bound: value >= bound),
    ("at_most", "<=", lambda value, bound: value <= bound),
    ("above", ">", lambda value, bound: value > bound),
    ("below", "<", lambda value, bound: value < bound),
)


@dataclass(frozen=True)
class ClaimResult:
    """A checked claim. `holds` is None where there is no threshold or no value; `reason` says why, in words."""

    name: str
    claim: str
    value: float | None
    threshold: str | None
    holds: bool | None
    unit: str
    expression: str
    also: str | None = None
    reason: str | None = None


def _without_dust(value: float) -> float:
    """Twelve significant digits: 100 * (0.2 + 0.4) / 2 is 30, not a little more."""
    return float(f"{value:.12g}")


class NotRun(Exception):
    """The figure doesn't exist yet."""


def evaluate_claims(results: Results) -> tuple[ClaimResult, ...]:
    """Every claim of the recipe, in its order.

    Raises:
        RecipeError: an expression can't be read, or names an unknown function, stage, task or domain.
    """
    return tuple(_check(name, claim, Figures(results)) for name, claim in results.recipe.claims.items())


def _check(name: str, claim: Claim, figures: Figures) -> ClaimResult:
    threshold = next(
        (f"{sign} {bound:g}" for key, sign, _ in _BOUNDS if (bound := getattr(claim, key)) is not None), None
    )

    def result(value: float | None, holds: bool | None, reason: str | None) -> ClaimResult:
        return ClaimResult(name, claim.claim, value, threshold, holds, claim.unit, claim.value, claim.also, reason)

    try:
        value = _without_dust(float(figures.evaluate(claim.value, f"claims.{name}.value")))
        also = None if claim.also is None else bool(figures.evaluate(claim.also, f"claims.{name}.also"))
    except NotRun as missing:
        return result(None, None, str(missing))
    except ZeroDivisionError:
        return result(None, None, "a division by zero")
    if not math.isfinite(value):
        return result(None, None, "not a finite number")
    held = [holds(value, bound) for key, _, holds in _BOUNDS if (bound := getattr(claim, key)) is not None]
    if also is not None:
        held.append(also)
    reason = f"not so: {claim.also}" if also is False else None
    return result(value, all(held) if held else None, reason)


class Figures:
    """The functions that a claim's expression may call, on one run."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._functions: dict[str, Callable[..., float]] = {
            name: getattr(self, name) for name in (*OF_EVALUATIONS, *OF_PAIRS)
        }

    def evaluate(self, expression: str, place: str) -> Any:
        """The expression's value; `place` is the recipe key that errors name.

        Raises:
            RecipeError: the expression can't be read or names something unknown.
            NotRun: a figure it needs doesn't exist yet.
        """
        try:
            return SimpleEval(functions=self._functions, names={}).eval(expression)
        except FunctionNotDefined as error:
            raise _unknown("function", error.func_name, self._functions, place) from None
        except NameNotDefined as error:
            raise RecipeError(
                f"unknown name {error.name}", place=place, remedy=f"quote it if it is a stage: {error.name!r}"
            ) from None
        except _UnknownArgument as error:
            raise _unknown(error.what, error.name, error.known, place) from None
        except (InvalidExpression, SyntaxError, TypeError) as error:
            raise RecipeError(
                f"can't read {expression!r} ({error})",
                place=place,
                remedy="write it as pass_rate('rl') - pass_rate('mid')",
            ) from None

    def pass_rate(self, stage: str, domain: str | None = None) -> float:
        return self._generated("pass_rate", stage, domain)

    def greedy(self, stage: str, domain: str | None = None) -> float:
        return self._generated("pass_rate_greedy", stage, domain)

    def accuracy(self, stage: str, task: str) -> float:
        return 100 * self._metric("accuracy", stage, task)

    def bits_per_byte(self, stage: str, task: str) -> float:
        return self._metric("bits_per_byte", stage, task)

    def ruler(self, stage: str, length: int) -> float:
        by_length = self._stage(stage).ruler()
        if length not in by_length:
            raise NotRun(f"{stage} has no RULER score at {length} tokens")
        scores = [task.metrics["score"].value for task in by_length[length].values()]
        return 100 * sum(scores) / len(scores)

    def spread(self, *stages: str) -> float:
        rates = [self.pass_rate(stage) for stage in stages]
        return max(rates) - min(rates)

    def relative_l2(self, before: str, after: str) -> float:
        change = self._weights(before, after).total
        if change.relative_l2 is None:
            raise NotRun(f"the weights of {before} are all zero")
        return change.relative_l2

    def unchanged(self, before: str, after: str) -> float:
        return unchanged_percent(self._weights(before, after).total)

    def min_cka(self, before: str, after: str) -> float:
        self._known_pair(before, after)
        comparison = self._results.cka.get((before, after))
        if comparison is None or comparison.minimum is None:
            raise NotRun(f"the representations of {before} and {after} were not compared")
        return comparison.minimum

    def footprint_correlation(self, a_before: str, a_after: str, b_before: str, b_after: str) -> float:
        one = self._weights(a_before, a_after).by_sub_component
        other = self._weights(b_before, b_after).by_sub_component
        pairs = [
            (first, second)
            for name in one
            if name in other
            and (first := one[name].relative_l2) is not None
            and (second := other[name].relative_l2) is not None
        ]
        return pearson(pairs)

    def _generated(self, metric: str, name: str, domain: str | None) -> float:
        stage = self._stage(name)
        domains = {one for other in self._results.stages.values() for one in other.domains()}
        if domain is not None and domains and domain not in domains:
            raise _UnknownArgument("domain", domain, domains)
        value = stage.mean(metric, domain)
        if value is None:
            raise NotRun(f"{name} was not evaluated" if domain is None else f"{name} was not evaluated on {domain}")
        return 100 * value

    def _metric(self, metric: str, name: str, task: str) -> float:
        stage = self._stage(name)
        known = {*self._results.recipe.evaluate.tasks, *stage.tasks}
        if task not in known:
            raise _UnknownArgument("task", task, known)
        if task not in stage.tasks:
            raise NotRun(f"{name} was not evaluated on {task}")
        metrics = stage.tasks[task].metrics
        if metric not in metrics:
            raise NotRun(f"{task} has no {metric.replace('_', ' ')}")
        return metrics[metric].value

    def _weights(self, before: str, after: str) -> WeightComparison:
        self._known_pair(before, after)
        comparison = self._results.weights.get((before, after))
        if comparison is None:
            raise NotRun(f"the weights of {before} and {after} were not compared")
        return comparison

    def _known_pair(self, before: str, after: str) -> None:
        self._stage(before)
        self._stage(after)

    def _stage(self, name: str) -> Stage:
        if name not in self._results.stages:
            raise _UnknownArgument("stage", name, self._results.stages)
        return self._results.stages[name]


class _UnknownArgument(Exception):
    """An argument that names nothing in the recipe."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        super().__init__(name)
        self.what, self.name, self.known = what, name, tuple(known)


def _unknown(what: str, name: str, known: Iterable[str], place: str) -> RecipeError:
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    remedy = f"did you mean {near[0]}?" if near else f"known: {', '.join(names) or 'none'}"
    return RecipeError(f"unknown {what} {name}", place=place, remedy=remedy)


def unchanged_percent(change: Change) -> float:
    """Percent of elements that changed by less than 1% of themselves.

    Raises:
        NotRun: the comparison didn't measure that threshold.
    """
    thresholds: Mapping[float, float] = change.unchanged_percent
    if _UNCHANGED_BELOW_PERCENT not in thresholds:
        raise NotRun("the comparison has no threshold of 1%")
    return thresholds[_UNCHANGED_BELOW_PERCENT]


def pearson(pairs: Iterable[tuple[float, float]]) -> float:
    """Pearson correlation of (x, y) pairs.

    Raises:
        NotRun: fewer than two pairs, or one side doesn't vary.
    """
    points = list(pairs)
    if len(points) < 2:
        raise NotRun("fewer than two sub-components in common")
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    products = sum((x - mean_x) * (y - mean_y) for x, y in points)
    spread_x = sum((x - mean_x) ** 2 for x, _ in points)
    spread_y = sum((y - mean_y) ** 2 for _, y in points)
    if spread_x == 0 or spread_y == 0:
        raise NotRun("a footprint that doesn't vary has no correlation")
    return float(products / math.sqrt(spread_x * spread_y))
