"""Loads a task of the harness with its data from this disk; says what is missing and how to get it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import lm_eval
import numpy as np
from lm_eval.defaults import DEFAULT_OTHER_SEED, DEFAULT_RANDOM_SEED
from lm_eval.tasks import TaskManager
from lm_eval.tasks._factory import TaskFactory

from data_prep.files import fingerprint
from prism.errors import BadInput, UsageError
from prism.evaluate.harness.quiet import quiet
from prism.evaluate.task import HarnessTask, format_path

_OWN = Path(lm_eval.__file__).with_name("tasks")


@dataclass(frozen=True)
class LoadedTask:
    """A harness task, group or tag. `loaded` is what `TaskManager.load` gives; `groups` may be empty."""

    loaded: dict[str, Any]

    @property
    def tasks(self) -> Mapping[str, Any]:
        """The tasks that ask something, by name."""
        return dict(self.loaded["tasks"])

    def identity(self, limit: int | None) -> str:
        """Changes when the harness's configuration of a task, or one of its documents, does."""
        return fingerprint([[name, _configuration(task), _documents(task, limit)] for name, task in self.tasks.items()])


def load_harness_task(task: HarnessTask, data: Path) -> LoadedTask:
    """The task with its settings applied, as `lm_eval.simple_evaluate` applies them.

    Args: data: folder that holds data sets of the hub, each in a folder by its name.

    Raises:
        BadInput: its data isn't there and can't be had.
        UsageError: the harness has no such task.
    """
    with quiet():
        return _load(task, data)


def _load(task: HarnessTask, data: Path) -> LoadedTask:
    _seed()  # tasks that shuffle options do it while they load
    manager = _manager(task.folder)
    if task.task not in manager.all_tasks:
        raise UsageError(
            f"the harness has no task {task.task}",
            place=task.folder or "lm_eval/tasks",
            remedy="see `lm-eval ls tasks`, and `folder` of the task",
        )
    placing = _Placing(data, task.overrides)
    manager._factory = placing
    try:
        loaded = manager.load([task.task])
    except BadInput:
        raise
    except Exception as error:  # of the data's library: no network, no such data set, a damaged file ...
        raise BadInput(
            f"the data of harness task {task.task} ({placing.last}) isn't there: {_first_line(error)}",
            place=str(data / placing.last),
            remedy=f"hf download {placing.last} --repo-type dataset --local-dir {data / placing.last}, where there is "
            f"a network; another folder: evaluate.data.{task.name}; or leave the task out",
        ) from error
    for one in loaded["tasks"].values():
        _apply(one, task)
    return LoadedTask(loaded)


class _Placing(TaskFactory):
    """Makes tasks read their data from this disk where it is there. `last`: the data set named last."""

    def __init__(self, data: Path, own: Mapping[str, Any]) -> None:
        super().__init__(meta={})
        self._data, self._own, self.last = data, own, ""

    def _load_full_config(self, entry: Any, overrides: dict[str, Any] | None = None) -> dict[str, Any]:
        config: dict[str, Any] = super()._load_full_config(entry, overrides)
        name = config.get("dataset_path")
        if not isinstance(name, str):  # a group
            return config
        config |= self._own
        self.last = name
        arguments = deepcopy(config.get("dataset_kwargs") or {})
        if "data_files" in arguments and "/" not in name:  # a format, such as json, not a data set of the hub
            arguments["data_files"] = _placed(arguments["data_files"], str(config.get("task")))
            return {**config, "dataset_kwargs": arguments}
        local = self._data / name
        return {**config, "dataset_path": str(local)} if local.is_dir() else config


def _placed(files: Any, task: str) -> Any:
    """`{data}` filled in, as in the paths of our own tasks."""
    if isinstance(files, dict):
        return {split: _placed(part, task) for split, part in files.items()}
    if isinstance(files, list):
        return [_placed(part, task) for part in files]
    if "://" in str(files) or any(character in str(files) for character in "*?["):
        return files
    path = format_path(str(files))
    if not path.is_file():
        raise BadInput(
            f"the data of harness task {task} is missing",
            place=str(path),
            remedy="set the environment variable PRISM_DATA, or leave the task out",
        )
    return str(path)


@lru_cache
def _manager(folder: str | None) -> Any:
    """Knows the tasks of a folder, ours or the harness's; all of the harness's 14,000 take a while to read."""
    if folder is None:
        return TaskManager()
    path = Path(folder)
    return TaskManager(include_path=str(path if path.is_dir() else _OWN / folder), include_defaults=False)


def _apply(one: Any, task: HarnessTask) -> None:
    if task.num_fewshot is not None:
        one.set_config(key="num_fewshot", value=task.num_fewshot)
    elif one.get_config("num_fewshot") is None:
        one.set_config(key="num_fewshot", value=0)
    if task.generation and one.get_config("output_type") == "generate_until":
        one.set_config(key="generation_kwargs", value=dict(task.generation), update=True)
    one.set_fewshot_seed(seed=DEFAULT_OTHER_SEED)


def _seed() -> None:
    random.seed(DEFAULT_RANDOM_SEED)
    np.random.seed(DEFAULT_OTHER_SEED)


def _configuration(task: Any) -> Any:
    """Functions count by their source, which the harness writes out; where things lie doesn't count."""
    config = {key: value for key, value in task.dump_config().items() if key not in ("dataset_path", "dataset_kwargs")}
    metadata = {key: value for key, value in (config.pop("metadata", None) or {}).items() if key != "config_source"}
    return [repr(sorted(config.items(), key=lambda item: item[0])), repr(metadata)]


def _documents(task: Any, limit: int | None) -> str:
    return fingerprint([repr(doc) for doc in list(_some(iter(task.eval_docs), limit))])


def _some(docs: Iterator[Any], limit: int | None) -> Iterator[Any]:
    for number, doc in enumerate(docs):
        if limit is not None and number >= limit:
            return
        yield doc


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
