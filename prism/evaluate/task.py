"""A task: a versioned YAML file that says what is asked, how, and how it is judged."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from prism.errors import RecipeError

TASKS = Path(__file__).with_name("tasks")


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


class GenerateTask(TaskBase):
    """Prompts answered by generation and judged by a verifier."""

    kind: Literal["generate"]
    prompt: str = Field("prompt", description="Column of the question.")
    answer: str = Field("answer", description="Column of the right answer.")
    choices: str | None = Field(None, description="Column of options, listed with letters below the question.")
    verifier: dict[str, Any] | None = Field(None, description="Verifier of every row; null takes the row's own.")
    samples: int = Field(1, ge=0, description="Responses sampled a prompt; 0 leaves only greedy.")
    temperature: float = Field(1.0, gt=0, description="Of the samples.")
    top_p: float = Field(1.0, gt=0, le=1, description="Of the samples.")
    max_new_tokens: int = Field(gt=0, description="Longest response, in tokens.")
    greedy: bool = Field(True, description="Also decode greedily, once a prompt.")


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


Task = Annotated[GenerateTask | ChoiceTask | BitsTask, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[GenerateTask | ChoiceTask | BitsTask] = TypeAdapter(Task)


def load_task(name: str) -> GenerateTask | ChoiceTask | BitsTask:
    """A task by its name in prism/evaluate/tasks, or by the path of its file.

    Raises:
        RecipeError: there is no such task, or its file isn't a task.
    """
    path = TASKS / f"{name}.yaml" if (TASKS / f"{name}.yaml").is_file() else Path(name)
    if not path.is_file():
        near = difflib.get_close_matches(name, task_names(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(task_names())}"
        raise RecipeError(f"no task {name}", place="evaluate.tasks", remedy=hint)
    try:
        return _ADAPTER.validate_python(yaml.safe_load(path.read_text()))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise RecipeError(f"{key}: {problem['msg']}", place=str(path), remedy="see prism/evaluate/task.py") from None


def task_names() -> list[str]:
    return sorted(path.stem for path in TASKS.glob("*.yaml"))


def data_path(path: str, data_directory: Path) -> Path:
    """Where a task's data lies; see `TaskBase.path`."""
    if path.startswith(("world/", "sources/")):
        return data_directory / path
    return Path(path.format(data=os.environ.get("PRISM_DATA", "../shared/data")))
