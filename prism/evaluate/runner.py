"""Evaluates a stage's checkpoint on every task of the recipe, or any other model on any tasks."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.files import fingerprint, read_json, write_json
from prism.errors import BadInput
from prism.evaluate.bits import run_bits
from prism.evaluate.choice import run_choice
from prism.evaluate.data import may_be_missing, read_task
from prism.evaluate.generation import questions, run_generation
from prism.evaluate.harness.installed import require_harness, require_packages
from prism.evaluate.rows import TaskRows
from prism.evaluate.ruler.make import needs_material, read_material
from prism.evaluate.ruler.run import run_ruler
from prism.evaluate.subject import Subject, stage_subject
from prism.evaluate.task import AnyTask, ChoiceTask, GenerateTask, HarnessTask, RulerTask, load_tasks
from prism.megatron.checkpoint.ranks import is_first
from prism.megatron.layout import layout_of
from prism.megatron.parallel import process_groups

if TYPE_CHECKING:
    from prism.evaluate.harness.load import LoadedTask
    from prism.generate import LanguageModel
    from prism.recipe import Recipe

log = logging.getLogger("prism.evaluate")
SCHEMA_VERSION = 1


def run_evaluation(recipe: Recipe, stage: str) -> None:
    """Writes stages/<stage>/evaluate/<task>.json and, for generation, <task>.samples.jsonl.

    A task that was finished with the same checkpoint, version and data is left alone.

    Raises:
        BadInput: a task's data or the stage's checkpoint is missing.
        RecipeError: the recipe names an unknown task.
    """
    tasks = load_tasks(recipe.evaluate.tasks)
    with process_groups(layout_of(recipe.cluster), recipe.run.seed):
        subject = stage_subject(recipe, stage)
        evaluate_tasks(subject, tasks, recipe.stage_directory(stage) / "evaluate", recipe.evaluate.limit)


def evaluate_tasks(subject: Subject, tasks: Sequence[AnyTask], folder: Path, limit: int | None = None) -> None:
    """Writes `<task>.json` and samples of each task to `folder`. All ranks call it together.

    Tasks of the harness or the hub whose data can't be had are told at the end; what else was asked for is done until
    then.

    Args:
        limit: most prompts a task.

    Raises:
        BadInput: a task's data is missing.
        UsageError: a harness task needs what isn't installed, or contradicts itself.
    """
    missing: list[BadInput] = []
    model: LanguageModel | None = None
    for task in [_limited(task, limit) for task in tasks]:
        if (reason := _cannot_run(task, subject)) is not None:
            log.warning("%s: %s skipped: %s", subject.name, task.name, reason)
            continue
        try:
            found, loaded = read_task(task, subject), _load(task, subject)
        except BadInput as error:
            if not may_be_missing(task):
                raise
            missing.append(error)
            log.warning("%s: %s skipped: %s", subject.name, task.name, error)
            continue
        if found.left_out:
            told = "; ".join(f"{count:,} {reason}" for reason, count in found.left_out.items())
            log.info("%s: %s leaves out, of the data's rows: %s", subject.name, task.name, told)
        rows, content = found.rows, _content(task, found, loaded)
        key = fingerprint([subject.identity, *content])
        if _is_done(folder / f"{task.name}.json", key):
            log.info("%s: %s unchanged", subject.name, task.name)
            continue
        model = model or subject.load()
        began = time.perf_counter()
        done = _run(task, rows, loaded, model, subject, folder, key)
        result = {
            "schema_version": SCHEMA_VERSION,
            "task": task.name,
            "version": task.version,
            "kind": task.kind,
            "domain": task.domain,
            "description": task.description,
            "settings": task.model_dump(mode="json", exclude={"name", "version", "kind", "domain", "description"}),
            "checkpoint_hash": subject.identity,
            "data_hash": content[-1],
            "key": key,
            "prompts": done.prompts,
            "left_out": dict(found.left_out),
            "skipped_too_long": done.skipped,
            "metrics": done.metrics,
            "seconds": round(time.perf_counter() - began, 2),
            **done.details,
        }
        if is_first():
            write_json(folder / f"{task.name}.json", result)
        log.info("%s: %s %s", subject.name, task.name, {name: round(m["value"], 4) for name, m in done.metrics.items()})
    if missing:
        raise _together(missing)


@dataclass(frozen=True)
class _Done:
    """What a task found; `details` goes into its result beside the rest."""

    metrics: dict[str, Any]
    prompts: int
    skipped: int = 0
    details: dict[str, Any] = field(default_factory=dict)


def _content(task: AnyTask, found: TaskRows, loaded: LoadedTask | None) -> list[Any]:
    """What a result depends on beside the checkpoint: settings, and a hash of the data.

    Where a harness task's data lies isn't part of it.
    """
    if isinstance(task, HarnessTask):
        assert loaded is not None
        return [task.model_dump(exclude={"path", "folder"}), loaded.identity(task.limit)]
    if isinstance(task, GenerateTask) and task.rows is not None:
        # One by one: the tests of code are gigabytes.
        return [task.identity(), fingerprint([fingerprint(row) for row in found.rows])]
    return [task.identity(), fingerprint(found.rows)]


def _load(task: AnyTask, subject: Subject) -> LoadedTask | None:
    """A harness task, its settings checked; nothing of other kinds."""
    if not isinstance(task, HarnessTask):
        return None
    require_harness()
    require_packages(task.requires, task.name)
    from prism.evaluate.harness.load import load_harness_task
    from prism.evaluate.harness.run import check_settings

    loaded = load_harness_task(task, subject.data_of(task))
    check_settings(loaded)
    return loaded


def _together(missing: Sequence[BadInput]) -> BadInput:
    """One error of several; the first one's words where it is alone."""
    if len(missing) == 1:
        return missing[0]
    return BadInput(
        f"{len(missing)} tasks lack their data: " + "; ".join(error.message for error in missing),
        place=", ".join(dict.fromkeys(str(error.place) for error in missing)),
        remedy="bring it (the warnings above say how), or leave the tasks out; the other tasks' results are kept",
    )


def _run(
    task: AnyTask,
    rows: Sequence[Mapping[str, Any]],
    loaded: LoadedTask | None,
    model: LanguageModel,
    subject: Subject,
    folder: Path,
    key: str,
) -> _Done:
    samples, contract = folder / f"{task.name}.samples.jsonl", subject.contract
    if isinstance(task, HarnessTask):
        assert loaded is not None
        return _harness(task, loaded, model, subject, folder, key)
    if isinstance(task, RulerTask):
        metrics, skipped = run_ruler(task, read_material(task, rows, task.path), model, contract, samples, key)
        return _Done(metrics, task.limit or task.prompts, skipped)
    if isinstance(task, GenerateTask):
        found = run_generation(task, questions(task, rows), model, contract, samples, key)
        return _Done(found.metrics, len(rows), found.too_long, {"groups": found.groups} if found.groups else {})
    if isinstance(task, ChoiceTask):
        metrics, skipped = run_choice(task, rows, model, contract)
        return _Done(metrics, len(rows), skipped)
    return _Done(run_bits(task, rows, model, contract), len(rows))


def _harness(
    task: HarnessTask, loaded: LoadedTask, model: LanguageModel, subject: Subject, folder: Path, key: str
) -> _Done:
    from prism.evaluate.harness.run import run_harness
    from prism.evaluate.harness.tokenizer import HarnessTokenizer

    tokenizer = HarnessTokenizer(subject.tokenizer(folder), task.add_bos)
    found = run_harness(task, loaded, subject.backend(model, tokenizer), tokenizer, folder, key)
    return _Done(found.metrics, found.prompts, details=found.details)


def _limited(task: AnyTask, limit: int | None) -> AnyTask:
    if limit is None or (task.limit is not None and task.limit <= limit):
        return task
    return task.model_copy(update={"limit": limit})


def _cannot_run(task: AnyTask, subject: Subject) -> str | None:
    """Why a RULER task is left out: it is one of a suite, of which parts need data that few have."""
    if isinstance(task, RulerTask) and needs_material(task) and not subject.data_of(task).is_file():
        return f"its data is missing ({subject.data_of(task)}); set evaluate.data.{task.base_name} or PRISM_DATA"
    return None


def _is_done(path: Path, key: str) -> bool:
    return path.is_file() and read_json(path).get("key") == key
