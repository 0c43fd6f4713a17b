"""A task: a versioned YAML file that says what is asked, how, and how it is judged."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from prism.errors import RecipeError
from prism.evaluate.hub import HubData
from prism.evaluate.rows.settings import RowsSettings
from prism.evaluate.ruler.settings import RulerTest

TASKS = Path(__file__).with_name("tasks")
SUITES = Path(__file__).with_name("suites")


class TaskBase(BaseModel):
    """What every kind of task states. `version` changes when scores can change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Name in results.")
    version: int = Field(ge=1, description="Raised whenever scores can change.")
    description: str = Field(description="What the task measures, and the data's origin and licence.")
    domain: str = Field(description="general, math, code, science ...")
    path: str = Field(
        description="Data; `world/`, `sources/` lie in the run's data folder; `{data}` is PRISM_DATA or ../shared/data."
    )
    limit: int | None = Field(None, gt=0, description="First so many rows; null takes all.")

    def identity(self) -> dict[str, Any]:
        """What of it scores depend on, as plain values."""
        return self.model_dump(mode="json")


class GenerateTask(TaskBase):
    """Prompts answered by generation and judged by a verifier."""

    kind: Literal["generate"]
    hub: HubData | None = Field(None, description="Where the data is fetched from when `path` isn't there: a folder.")
    rows: RowsSettings | None = Field(
        None,
        description="The published form of the data (`kind`: math, gpqa, humaneval, livecodebench, codeforces) and its "
        "settings; `prompt`, `answer`, `choices` and `verifier` are then its reader's. Null: the columns below.",
    )
    prompt: str = Field("prompt", description="Column of the question.")
    answer: str = Field("answer", description="Column of the right answer.")
    choices: str | None = Field(None, description="Column of options, listed with letters below the question.")
    verifier: dict[str, Any] | None = Field(None, description="Verifier of every row; null takes the row's own.")
    samples: int = Field(1, ge=0, description="Responses sampled a prompt; 0 leaves only greedy.")
    temperature: float = Field(1.0, gt=0, description="Of the samples.")
    top_p: float = Field(1.0, gt=0, le=1, description="Of the samples.")
    max_new_tokens: int = Field(gt=0, description="Longest response, in tokens.")
    greedy: bool = Field(True, description="Also decode greedily, once a prompt.")

    def identity(self) -> dict[str, Any]:
        """See `TaskBase.identity`. Where data was brought from doesn't count: its content does, apart from this."""
        found = super().identity()
        del found["hub"]
        if found["rows"] is None:
            del found["rows"]  # results from before there were readers hold
        return found


class ChoiceTask(TaskBase):
    """Multiple choice by the likelihood of each option after the context."""

    kind: Literal["choice"]
    context: str = Field("context", description="Column of the context.")
    choices: str = Field("choices", description="Column of the options, a list.")
    answer: str = Field("answer", description="Column of the right option's index.")
    as_prompt: bool = Field(False, description="The context is a question: end it as a prompt.")


class BitsTask(TaskBase):
    """Bits per byte of held-out documents."""

    kind: Literal["bits_per_byte"]
    text: str = Field("text", description="Column of the text; unused with question.")
    question: str | None = Field(None, description="Column of the question of question-and-answer documents.")
    answer: str = Field("answer", description="Column of the answer, with question.")
    reasoning_until: str | None = Field(None, description="Mark in the answer column between reasoning and answer.")


class RulerTask(TaskBase):
    """Long context: prompts made at a length, answered greedily, scored by the share of expected strings found."""

    kind: Literal["ruler"]
    path: str = Field("", description="Essay (text, or JSON lines with `text`) or questions; tests without them: none.")
    test: RulerTest = Field(description="Which of RULER's tests, and its settings.")
    length: int = Field(4_096, gt=0, description="Most tokens of prompt and answer; evaluate.tasks sets it by name@N.")
    prompts: int = Field(100, gt=0, description="Prompts made; `limit` takes fewer.")
    seed: int = Field(42, ge=0, description="Of everything random in the prompts.")
    max_new_tokens: int = Field(gt=0, description="Longest response, in tokens; the prompt leaves room for it.")
    as_prompt: bool = Field(False, description="End with a line break as questions do; else the response goes on.")

    @property
    def base_name(self) -> str:
        """Its name without the length."""
        return self.name.partition("@")[0]


class HarnessTask(TaskBase):
    """A task, group or tag of lm-evaluation-harness, run on our model. `limit` counts each of its tasks' documents."""

    kind: Literal["harness"]
    path: str = Field("{data}/harness", description="Folder of data sets, each at its name on the hub; else the hub.")
    task: str = Field(description="The harness's name of it.")
    folder: str | None = Field(
        None,
        description="Folder of the harness's YAML: beside this file, or of the harness's own (`mmlu`); null reads all. "
        "`{data}` may stand in its data_files.",
    )
    num_fewshot: int | None = Field(None, ge=0, description="Examples in the prompt; null takes the task's own.")
    overrides: dict[str, Any] = Field(default_factory=dict, description="Keys of the harness's YAML, changed.")
    generation: dict[str, Any] = Field(
        default_factory=dict, description="Keys of its generation_kwargs, changed: do_sample, temperature, until ..."
    )
    metrics: tuple[str, ...] = Field(
        (), description="Metrics to report, `acc` or `exact_match,strict-match`; the first is the main one; empty: all."
    )
    chat_template: bool = Field(False, description="Prompts as messages, by the tokenizer's chat template.")
    system: str | None = Field(None, description="System message, or text before the prompt.")
    add_bos: bool | None = Field(None, description="Begin with the beginning-of-text token; null: as the tokenizer.")
    requires: tuple[str, ...] = Field((), description="Packages that it needs, `name` or `name==version`.")


AnyTask = GenerateTask | ChoiceTask | BitsTask | RulerTask | HarnessTask
_ADAPTER: TypeAdapter[AnyTask] = TypeAdapter(Annotated[AnyTask, Field(discriminator="kind")])


def load_tasks(names: Sequence[str]) -> list[AnyTask]:
    """Tasks by `load_task`, and those of suites (prism/evaluate/suites), whose length is then theirs.

    Raises:
        RecipeError: see `load_task`.
    """
    tasks: list[AnyTask] = []
    for name in names:
        suite, at, length = name.partition("@")
        path = SUITES / f"{suite}.yaml"
        members = [f"{task}{at}{length}" for task in yaml.safe_load(path.read_text())] if path.is_file() else [name]
        tasks += [load_task(member) for member in members]
    return tasks


def load_task(name: str) -> AnyTask:
    """A task by its name in prism/evaluate/tasks, or by the path of its file; `name@8192` sets a RULER task's length.

    Raises:
        RecipeError: there is no such task, its file isn't a task, or it has no length to set.
    """
    if "@" not in name or Path(name).is_file():
        return _read(name)
    name, _, length = name.rpartition("@")
    task = _read(name)
    if not isinstance(task, RulerTask) or not length.isdecimal() or not int(length):
        raise RecipeError(
            f"{name}@{length}: " + ("its length isn't a number" if isinstance(task, RulerTask) else "has no length"),
            place="evaluate.tasks",
            remedy="write RULER tasks as name@8192, others by their name",
        )
    return task.model_copy(update={"name": f"{task.name}@{length}", "length": int(length)})


def _read(name: str) -> AnyTask:
    path = TASKS / f"{name}.yaml" if (TASKS / f"{name}.yaml").is_file() else Path(name)
    if not path.is_file():
        near = difflib.get_close_matches(name, task_names(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(task_names())}"
        raise RecipeError(f"no task {name}", place="evaluate.tasks", remedy=hint)
    try:
        return _beside(_ADAPTER.validate_python(yaml.safe_load(path.read_text())), path)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise RecipeError(f"{key}: {problem['msg']}", place=str(path), remedy="see prism/evaluate/task.py") from None


def _beside(task: AnyTask, path: Path) -> AnyTask:
    """A folder that a harness task names lies beside its file."""
    if isinstance(task, HarnessTask) and task.folder is not None and (path.parent / task.folder).is_dir():
        return task.model_copy(update={"folder": str((path.parent / task.folder).resolve())})
    return task


def task_names() -> list[str]:
    return sorted(path.stem for path in TASKS.glob("*.yaml"))


def data_path(path: str, data_directory: Path) -> Path:
    """Where a task's data lies; see `TaskBase.path`."""
    if path.startswith(("world/", "sources/")):
        return data_directory / path
    return format_path(path)


def format_path(path: str) -> Path:
    """`{data}` is PRISM_DATA, or ../shared/data."""
    return Path(path.format(data=os.environ.get("PRISM_DATA", "../shared/data")))
