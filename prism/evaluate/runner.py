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
from prism.evaluate.task import BitsTask, ChoiceTask, GenerateTask, data_path, load_task
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

AnyTask = GenerateTask | ChoiceTask | BitsTask


def run_evaluation(recipe: Recipe, stage: str) -> None:
    """Writes stages/<stage>/evaluate/<task>.json and, for generation, <task>.samples.jsonl.

    A task that was finished with the same checkpoint, version and data is left alone.

    Raises:
        BadInput: a task's data or the stage's checkpoint is missing.
        RecipeError: the recipe names an unknown task.
    """
    tasks = [_limited(load_task(name), recipe.evaluate.limit) for name in recipe.evaluate.tasks]
    folder = recipe.stage_directory(stage) / "evaluate"
    source = checkpoint.require_latest(recipe.stage_directory(stage) / "checkpoints")
    with process_groups(layout_of(recipe.cluster), recipe.run.seed):
        contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
        model: LanguageModel | None = None
        for task in tasks:
            rows = _rows(task, recipe)
            key = fingerprint([source.identity, task.model_dump(), fingerprint(rows)])
            if _is_done(folder / f"{task.name}.json", key):
                log.info("%s: %s unchanged", stage, task.name)
                continue
            if model is None:
                model = load_language_model(recipe, source, contract.vocab_size)
            began = time.perf_counter()
            metrics, skipped = _run(task, rows, model, contract, folder, source.identity)
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
                "prompts": len(rows),
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
) -> tuple[dict[str, Any], int]:
    if isinstance(task, GenerateTask):
        samples = folder / f"{task.name}.samples.jsonl"
        return run_generation(task, questions(task, rows), model, contract, samples, task_key(identity, task))
    if isinstance(task, ChoiceTask):
        return run_choice(task, rows, model, contract)
    return run_bits(task, rows, model, contract), 0


def _limited(task: AnyTask, limit: int | None) -> AnyTask:
    if limit is None or (task.limit is not None and task.limit <= limit):
        return task
    return task.model_copy(update={"limit": limit})


def _rows(task: AnyTask, recipe: Recipe) -> list[Mapping[str, Any]]:
    path = data_path(recipe.evaluate.data.get(task.name, task.path), recipe.data_directory)
    if not path.is_file():
        raise BadInput(
            f"the data of task {task.name} is missing",
            place=str(path),
            remedy=f"set evaluate.data.{task.name} or the environment variable PRISM_DATA, or leave the task out",
        )
    rows: list[Mapping[str, Any]] = list(read_jsonl(path))
    return rows[: task.limit]


def _is_done(path: Path, key: str) -> bool:
    return path.is_file() and read_json(path).get("key") == key
