"""The recipe's claims, checked against the run's figures."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simpleeval import FunctionNotDefined, InvalidExpression, NameNotDefined, SimpleEval

from data_prep.files import write_json
from prism.errors import RecipeError
from prism.report.figures import Figures, NotMeasured
from prism.report.results import RunResults

SCHEMA_VERSION = 1

_BOUNDS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "at_least": (">=", operator.ge),
    "at_most": ("<=", operator.le),
    "above": (">", operator.gt),
    "below": ("<", operator.lt),
}


@dataclass(frozen=True)
class CheckedClaim:
    """`holds` is None where there is no threshold, or no figure yet (`reason` says which)."""

    name: str
    claim: str
    value: float | None
    threshold: str | None
    holds: bool | None
    unit: str
    reason: str | None = None


def check_claims(results: RunResults) -> list[CheckedClaim]:
    """Evaluates every claim of the recipe.

    Raises:
        RecipeError: an expression names something that doesn't exist.
    """
    figures = Figures(results)
    return [_check(name, claim, figures) for name, claim in results.recipe.get("claims", {}).items()]


def write_summary(results: RunResults, claims: list[CheckedClaim], path: Path) -> None:
    """summary.json: an entry a claim, seconds a node."""
    write_json(
        path,
        {
            "schema_version": SCHEMA_VERSION,
            "run": results.name,
            "seed": results.seed,
            "claims": [asdict(claim) for claim in claims],
            "seconds": dict(results.seconds),
            "total_seconds": round(sum(results.seconds.values()), 1),
        },
    )


def _check(name: str, claim: Mapping[str, Any], figures: Figures) -> CheckedClaim:
    bound = next((key for key in _BOUNDS if claim.get(key) is not None), None)
    threshold = f"{_BOUNDS[bound][0]} {claim[bound]:g}" if bound else None
    if claim.get("also"):
        threshold = f"{threshold} and {claim['also']}" if threshold else str(claim["also"])
    unit = str(claim.get("unit", ""))
    try:
        value = float(_evaluate(name, claim["value"], figures))
        holds = _BOUNDS[bound][1](value, claim[bound]) if bound else None
        if claim.get("also"):
            holds = bool(_evaluate(name, claim["also"], figures)) and holds is not False
    except NotMeasured as missing:
        return CheckedClaim(name, claim["claim"], None, threshold, None, unit, str(missing))
    return CheckedClaim(name, claim["claim"], value, threshold, holds, unit)


def _evaluate(name: str, expression: str, figures: Figures) -> Any:
    place = f"claims.{name}"
    try:
        return SimpleEval(functions=figures.functions()).eval(expression)
    except RecipeError as error:
        raise RecipeError(error.message, place=place, remedy=error.remedy) from None
    except (FunctionNotDefined, NameNotDefined, InvalidExpression, SyntaxError, TypeError) as error:
        known = ", ".join(figures.functions())
        raise RecipeError(f"{expression!r}: {error}", place=place, remedy=f"use {known}, and quote names") from None
    except ZeroDivisionError:
        raise NotMeasured("a figure is zero") from None
