"""summary.json: the claims and the time that every stage took, for programs to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from data_prep.files import write_json
from prism.report.claims import ClaimResult, evaluate_claims
from prism.report.results import Results

SCHEMA_VERSION = 1


def write_summary(results: Results, seconds: Mapping[str, float], claims: Sequence[ClaimResult] | None = None) -> Path:
    """Writes summary.json into the run directory.

    Args:
        seconds: of every stage, by name.
        claims: already checked; None checks them here.

    Raises:
        RecipeError: a claim can't be read.
    """
    checked = evaluate_claims(results) if claims is None else claims
    path = results.directory / "summary.json"
    write_json(
        path,
        {
            "schema_version": SCHEMA_VERSION,
            "run": results.recipe.run.name,
            "seed": results.recipe.run.seed,
            "claims": [_entry(claim) for claim in checked],
            "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
            "total_seconds": round(sum(seconds.values()), 3),
        },
    )
    return path


def _entry(claim: ClaimResult) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": claim.name,
        "claim": claim.claim,
        "value": claim.value,
        "threshold": claim.threshold,
        "holds": claim.holds,
        "unit": claim.unit,
    }
    return entry if claim.reason is None else {**entry, "reason": claim.reason}
