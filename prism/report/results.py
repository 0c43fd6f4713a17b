"""Everything that a run left on disk, read for the report. Missing parts are empty, not errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from prism.errors import BadInput

Json = Mapping[str, Any]


@dataclass(frozen=True)
class StageResults:
    """A stage of the pipeline. `evaluation` maps task to result, `samples` task to lines a prompt."""

    name: str
    kind: str
    parent: str | None
    settings: Json
    metrics: list[Json] = field(default_factory=list)
    evaluation: Mapping[str, Json] = field(default_factory=dict)
    rollouts: list[Json] = field(default_factory=list)
    difficulty: list[Json] = field(default_factory=list)


@dataclass(frozen=True)
class RunResults:
    """A run directory. `weights` and `cka` map (before, after) to the analysis."""

    directory: Path
    recipe: Json
    stages: Mapping[str, StageResults]
    blends: Mapping[str, Json]
    weights: Mapping[tuple[str, str], Json]
    cka: Mapping[tuple[str, str], Json]
    seconds: Mapping[str, float]

    @property
    def name(self) -> str:
        return str(self.recipe.get("run", {}).get("name", self.directory.name))

    @property
    def seed(self) -> int:
        return int(self.recipe.get("run", {}).get("seed", 0))


def load_results(directory: Path) -> RunResults:
    """Reads a run.

    Raises:
        BadInput: there is no run in the folder, or one of its files is damaged.
    """
    recipe_file = directory / "recipe.yaml"
    if not recipe_file.is_file():
        raise BadInput("no run here", place=str(directory), remedy="give the folder of a run, such as runs/miniature")
    recipe = yaml.safe_load(recipe_file.read_text())
    stages = {name: _stage(directory, name, node) for name, node in recipe.get("pipeline", {}).items()}
    return RunResults(
        directory=directory,
        recipe=recipe,
        stages=stages,
        blends={
            path.name.removesuffix(".lock.json"): _json(path)
            for path in sorted((directory / "data" / "blends").glob("*.lock.json"))
        },
        weights=_pairs(directory / "analysis" / "weights"),
        cka=_pairs(directory / "analysis" / "cka"),
        seconds=_seconds(directory / "manifest.json"),
    )


def samples(results: RunResults, stage: str, task: str) -> list[Json]:
    """The kept samples of a generation task, a line a prompt."""
    return list(_lines(results.directory / "stages" / stage / "evaluate" / f"{task}.samples.jsonl"))


def _stage(directory: Path, name: str, node: Json) -> StageResults:
    folder = directory / "stages" / name
    evaluation = {path.stem: _json(path) for path in sorted((folder / "evaluate").glob("*.json"))}
    return StageResults(
        name=name,
        kind=node["stage"],
        parent=node.get("from"),
        settings=node.get("with", {}),
        metrics=list(_lines(folder / "metrics.jsonl")),
        evaluation=evaluation,
        rollouts=list(_lines(folder / "samples.jsonl")),
        difficulty=list(_lines(folder / "difficulty.jsonl")),
    )


def _pairs(folder: Path) -> dict[tuple[str, str], Json]:
    found = (_json(path) for path in sorted(folder.glob("*.json")))
    return {(analysis["before"], analysis["after"]): analysis for analysis in found}


def _seconds(manifest: Path) -> dict[str, float]:
    if not manifest.is_file():
        return {}
    nodes = _json(manifest).get("nodes", {})
    return {name: float(node["seconds"]) for name, node in nodes.items() if node.get("seconds")}


def _json(path: Path) -> Json:
    try:
        value: Json = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise BadInput(f"not valid JSON ({error.msg})", place=str(path), remedy="remove it and run again") from None
    return value


def _lines(path: Path) -> Iterator[Json]:
    """Rows of a JSON-lines file; none where it is missing. A last line still being written is left out."""
    if not path.is_file():
        return
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            if number < len(lines):
                raise BadInput(
                    "not valid JSON", place=f"{path}:{number}", remedy="remove the stage's folder and run it again"
                ) from None
