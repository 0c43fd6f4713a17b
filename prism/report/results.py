"""Everything a run directory says so far. Parts that were not run are absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from prism.errors import BadInput
from prism.recipe import TRAINING_KINDS
from prism.report.analysis_shapes import CkaComparison, Landscape
from prism.report.reading import Artifact, noting, read_bytes, read_json, read_json_lines, read_yaml
from prism.report.shapes import (
    BlendLock,
    GradedPrompt,
    ManifestFile,
    Node,
    NodeTime,
    RecipeFile,
    RlStep,
    Sample,
    TaskResult,
    TrainingStep,
)
from prism.report.weight_shapes import RelationFile, WeightComparison, WeightSeries

Pair = tuple[str, str]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Stage:
    """A node of the pipeline with what it left. Empty tuples and mappings: not run, or not that kind of stage."""

    name: str
    kind: str
    parent: str | None
    prompts_from: str | None
    blend: str | None
    training: tuple[TrainingStep, ...] = ()
    rl: tuple[RlStep, ...] = ()
    tasks: Mapping[str, TaskResult] = field(default_factory=dict)
    samples: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    kept_prompts: int | None = None
    graded: tuple[GradedPrompt, ...] = ()

    @property
    def tokens(self) -> int | None:
        """Tokens it trained on."""
        return self.training[-1].tokens if self.training else None

    def domains(self) -> tuple[str, ...]:
        """Domains of its generation tasks, in the order of the tasks."""
        return tuple(dict.fromkeys(task.domain for task in self.tasks.values() if task.kind == "generate"))

    def mean(self, metric: str, domain: str | None = None) -> float | None:
        """Mean of a metric, as a fraction, over the generation tasks (of a domain); None where none has it."""
        values = [
            task.metrics[metric].value
            for task in self.tasks.values()
            if task.kind == "generate" and metric in task.metrics and domain in (None, task.domain)
        ]
        return sum(values) / len(values) if values else None

    def ruler(self) -> dict[int, dict[str, TaskResult]]:
        """Its RULER results that have a score, by length in tokens, then by task."""
        found: dict[int, dict[str, TaskResult]] = {}
        for name, task in self.tasks.items():
            if task.kind == "ruler" and "score" in task.metrics:
                found.setdefault(int(task.settings["length"]), {})[name.partition("@")[0]] = task
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class Results:
    """A run. `stages` are in the recipe's order; `recipe_text` is recipe.yaml as it stands.

    relations, trajectories: by their files' paths.
    artifacts: the files that all this was read from.
    """

    directory: Path
    recipe: RecipeFile
    recipe_text: str
    stages: Mapping[str, Stage]
    blends: Mapping[str, BlendLock]
    weights: Mapping[Pair, WeightComparison]
    cka: Mapping[Pair, CkaComparison]
    nodes: Mapping[str, NodeTime]
    relations: Mapping[str, RelationFile] = field(default_factory=dict)
    trajectories: Mapping[str, WeightSeries] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    landscape: Landscape | None = None

    def seconds(self) -> dict[str, float]:
        """Seconds of every finished node but the report's own."""
        return {
            name: node.seconds
            for name, node in self.nodes.items()
            if node.seconds is not None and node.kind != "report"
        }

    def main_chain(self) -> tuple[str, ...]:
        """The path from the root to the first RL stage (without RL: the first mid-training, or the first stage)."""
        for kind in ("rl", "extend", "midtrain", "pretrain"):
            first = next((stage for stage in self.stages.values() if stage.kind == kind), None)
            if first is not None:
                return self.path_to(first.name)
        return ()

    def path_to(self, name: str) -> tuple[str, ...]:
        """Stages from the root to this one."""
        stage, path = self.stages[name], [name]
        while stage.parent is not None and stage.parent in self.stages and stage.parent not in path:
            stage = self.stages[stage.parent]
            path.append(stage.name)
        return tuple(reversed(path))


def load_results(directory: Path) -> Results:
    """Reads a run directory.

    Raises:
        BadInput: recipe.yaml is missing, or a file is damaged; the file is named.
    """
    with noting(directory) as read:
        results = _load(directory)
    return replace(results, artifacts=tuple(read.values()))


def _load(directory: Path) -> Results:
    recipe_path = directory / "recipe.yaml"
    read = read_yaml(recipe_path, RecipeFile)
    if read is None:
        raise BadInput("the file is missing", place=str(recipe_path), remedy="give the directory of a run")
    recipe, text = read
    manifest = read_json(directory / "manifest.json", ManifestFile) or ManifestFile()
    locks = [read_json(path, BlendLock) for path in sorted((directory / "data/blends").glob("*.lock.json"))]
    return Results(
        directory=directory,
        recipe=recipe,
        recipe_text=text,
        stages={name: _stage(directory, recipe, name) for name in recipe.pipeline},
        blends={lock.blend: lock for lock in locks if lock is not None},
        weights={(one.before, one.after): one for one in _all(directory / "analysis/weights", WeightComparison)},
        cka={(one.before, one.after): one for one in _all(directory / "analysis/cka", CkaComparison)},
        nodes=manifest.nodes,
        relations=_by_path(directory, "analysis/relations", RelationFile),
        trajectories=_by_path(directory, "analysis/trajectory", WeightSeries),
        landscape=read_json(directory / "analysis/landscape.json", Landscape),
    )


def _stage(directory: Path, recipe: RecipeFile, name: str) -> Stage:
    node, folder = recipe.pipeline[name], directory / "stages" / name
    trains = node.stage in TRAINING_KINDS
    metrics = folder / "metrics.jsonl"
    tasks = {task.task: task for task in _all(folder / "evaluate", TaskResult)}
    order = [task for task in dict.fromkeys([*recipe.evaluate.tasks, *sorted(tasks)]) if task in tasks]
    judged = [task for task in order if tasks[task].kind != "harness"]  # its samples are documents of any kind
    samples = {task: read_json_lines(folder / "evaluate" / f"{task}.samples.jsonl", Sample) for task in judged}
    return Stage(
        name=name,
        kind=node.stage,
        parent=node.parent,
        prompts_from=node.prompts_from,
        blend=_blend(recipe, node) if trains else None,
        training=(read_json_lines(metrics, TrainingStep) or ()) if trains else (),
        rl=(read_json_lines(metrics, RlStep) or ()) if node.stage == "rl" else (),
        tasks={task: tasks[task] for task in order},
        samples={task: rows for task, rows in samples.items() if rows},
        kept_prompts=_count_lines(folder / "prompts.jsonl"),
        graded=read_json_lines(folder / "difficulty.jsonl", GradedPrompt) or (),
    )


def _blend(recipe: RecipeFile, node: Node) -> str | None:
    """The blend that a stage trains on: its own, or its section's."""
    extend: Mapping[str, str] | None = recipe.long_context.get("extend") if node.stage == "extend" else None
    return node.settings.get("blend") or (extend or recipe.midtrain).get("blend")


def _all(folder: Path, shape: type[_T]) -> list[_T]:
    found = [read_json(path, shape) for path in sorted(folder.glob("*.json"))]
    return [one for one in found if one is not None]


def _by_path(directory: Path, folder: str, shape: type[_T]) -> dict[str, _T]:
    found = {path: read_json(path, shape) for path in sorted((directory / folder).glob("*.json"))}
    return {path.relative_to(directory).as_posix(): one for path, one in found.items() if one is not None}


def _count_lines(path: Path) -> int | None:
    if not path.is_file():
        return None
    return sum(1 for line in read_bytes(path).splitlines() if line.strip())
