"""Scores of a run by stage and length."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from data_prep.files import read_json
from prism.errors import BadInput


def ruler_scores(run_directory: Path) -> dict[str, dict[int, dict[str, float]]]:
    """Percent by stage, length and task, of all that was evaluated; stages in the order of the run's recipe.

    Raises:
        BadInput: no stage was evaluated on a RULER task.
    """
    scores: dict[str, dict[int, dict[str, float]]] = {}
    for path in sorted(run_directory.glob("stages/*/evaluate/*.json")):
        result = read_json(path)
        if result.get("kind") == "ruler" and "score" in result.get("metrics", {}):
            stage, length = path.parts[-3], int(result["settings"]["length"])
            its = scores.setdefault(stage, {}).setdefault(length, {})
            its[str(result["task"]).partition("@")[0]] = 100 * float(result["metrics"]["score"]["value"])
    if not scores:
        raise BadInput(
            "no RULER results", place=str(run_directory), remedy="name a RULER task in evaluate.tasks, run `prism eval`"
        )
    recipe = run_directory / "recipe.yaml"
    order = list((yaml.safe_load(recipe.read_text()) or {}).get("pipeline", {})) if recipe.is_file() else []
    return {stage: scores[stage] for stage in dict.fromkeys([*order, *scores]) if stage in scores}


def mean_table(scores: Mapping[str, Mapping[int, Mapping[str, float]]]) -> str:
    """A Markdown table: a line a stage, a column a length, the mean over the tasks that every stage has there."""
    lengths = sorted({length for its in scores.values() for length in its})
    common = {
        length: set.intersection(*(set(its[length]) for its in scores.values() if length in its)) for length in lengths
    }
    lines = [
        f"| stage | {' | '.join(f'{length:,}' for length in lengths)} |",
        f"|---|{'---|' * len(lengths)}",
    ]
    for stage, its in scores.items():
        cells = []
        for length in lengths:
            values = [its[length][task] for task in common[length]] if length in its else []
            cells.append(f"{sum(values) / len(values):.1f}" if values else "")
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    tasks = ", ".join(f"{length:,}: {len(common[length])}" for length in lengths)
    return "\n".join([*lines, "", f"Percent, mean over tasks ({tasks})."])
