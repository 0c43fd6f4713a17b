"""Evaluates a stage's checkpoint on every task of the recipe."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.files import fingerprint, read_json, read_jsonl, write_json
from prism.errors import BadInput
from prism.evaluate.bits import run_bits
from prism.evaluate.choice import run_choice
from prism.evaluate.generation import questions, run_generation, task_key
from prism.evaluate.ruler.make import needs_material, read_material, read_rows
from prism.evaluate.ruler.run import run_ruler
from prism.evaluate.task import AnyTask, ChoiceTask, GenerateTask, RulerTask, data_path, load_tasks
from prism.generate.load import load_language_model
from prism.megatron import checkpoint
from prism.megatron.layout import layout_of
from prism.megatron.parallel import is_first_rank, process_groups
from prism.prompts import PromptContract

if TYPE_CHECKING:
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
    tasks = [_limited(task, recipe.evaluate.limit) for task in load_tasks(recipe.evaluate.tasks)]
    folder = recipe.stage_directory(stage) / "evaluate"
    source = checkpoint.require_latest(recipe.stage_directory(stage) / "checkpoints")
    with process_groups(layout_of(recipe.cluster), recipe.run.seed):
        contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
        model: LanguageModel | None = None
        for task in tasks:
            if (reason := _cannot_run(task, recipe)) is not None:
                log.warning("%s: %s skipped: %s", stage, task.name, reason)
                continue
            rows = _rows(task, recipe)
            key = fingerprint([source.identity, task.model_dump(), fingerprint(rows)])
            if _is_done(folder / f"{task.name}.json", key):
                log.info("%s: %s unchanged", stage, task.name)
                continue
            if model is None:
                model = load_language_model(recipe, source, contract.vocab_size)
            began = time.perf_counter()
            metrics, skipped = _run(task, rows, model, contract, folder, source.identity, key)
            result = {
                "schema_version": SCHEMA_VERSION,
                "task": task.name,
                "version": task.version,
                "kind": task.kind,
                "domain": task.domain,
                "description": task.description,
                "settings": task.model_dump(exclude={"name", "version", "kind", "domain", "description"}),
                "checkpoint_hash": source.identity,
                "key": key,
                "prompts": (task.limit or task.prompts) if isinstance(task, RulerTask) else len(rows),
                "skipped_too_long": skipped,
                "metrics": metrics,
                "seconds": round(time.perf_counter() - began, 2),
            }
            if is_first_rank():
                write_json(folder / f"{task.name}.json", result)
            log.info("%s: %s %s", stage, task.name, {name: round(m["value"], 4) for name, m in metrics.items()})


def _run(
    task: AnyTask,
    rows: list[Mapping[str, Any]],
    model: LanguageModel,
    contract: PromptContract,
    folder: Path,
    identity: str,
    key: str,
) -> tuple[dict[str, Any], int]:
    samples = folder / f"{task.name}.samples.jsonl"
    if isinstance(task, RulerTask):
        return run_ruler(task, read_material(task, rows, task.path), model, contract, samples, key)
    if isinstance(task, GenerateTask):
        return run_generation(task, questions(task, rows), model, contract, samples, task_key(identity, task))
    if isinstance(task, ChoiceTask):
        return run_choice(task, rows, model, contract)
    return run_bits(task, rows, model, contract), 0


def _limited(task: AnyTask, limit: int | None) -> AnyTask:
    if limit is None or (task.limit is not None and task.limit <= limit):
        return task
    return task.model_copy(update={"limit": limit})


def _cannot_run(task: AnyTask, recipe: Recipe) -> str | None:
    """Why a RULER task is left out: it is one of a suite, of which parts need data that few have."""
    if isinstance(task, RulerTask) and needs_material(task) and not _data(task, recipe).is_file():
        return f"its data is missing ({_data(task, recipe)}); set evaluate.data.{task.base_name} or PRISM_DATA"
    return None


def _data(task: AnyTask, recipe: Recipe) -> Path:
    """The task's data: what the recipe says of it by name (with or without its length), else what the task says."""
    given = recipe.evaluate.data
    return data_path(given.get(task.name, given.get(task.name.partition("@")[0], task.path)), recipe.data_directory)


def _rows(task: AnyTask, recipe: Recipe) -> list[Mapping[str, Any]]:
    if isinstance(task, RulerTask) and not needs_material(task):
        return []
    path = _data(task, recipe)
    if not path.is_file():
        raise BadInput(
            f"the data of task {task.name} is missing",
            place=str(path),
            remedy=f"set evaluate.data.{task.name} or the environment variable PRISM_DATA, or leave the task out",
        )
    if isinstance(task, RulerTask):
        return read_rows(path)
    rows: list[Mapping[str, Any]] = list(read_jsonl(path))
    return rows[: task.limit]


def _is_done(path: Path, key: str) -> bool:
    return path.is_file() and read_json(path).get("key") == key
