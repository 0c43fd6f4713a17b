"""Prompts of RULER tasks as files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data_prep.files import write_jsonl
from prism.errors import UsageError
from prism.evaluate.ruler.make import Material, make_prompt, needs_material, read_material, read_rows
from prism.evaluate.ruler.run import encode
from prism.evaluate.task import RulerTask, data_path, load_tasks
from prism.prompts import PromptContract


def write_prompts(
    names: Sequence[str], tokenizer: Path, end_of_document: str, out: Path, most: int | None, data: Path | None
) -> Iterator[str]:
    """Writes `out`/<task>.jsonl and yields a line on each: what was written, or why it was left out.

    Raises:
        UsageError: a task is of another kind.
        DataError, BadInput, RecipeError: tokenizer, data or length won't do.
    """
    contract = PromptContract.load(tokenizer, end_of_document)
    for task in load_tasks(names):
        if not isinstance(task, RulerTask):
            raise UsageError(f"{task.name} is of kind {task.kind}", place="tasks", remedy="name RULER tasks")
        path = data or data_path(task.path, Path("data"))
        if needs_material(task) and not path.is_file():
            yield f"{task.name}: left out, its data is missing ({path}); give --data or set PRISM_DATA"
            continue
        material = read_material(task, read_rows(path), str(path)) if needs_material(task) else Material()
        count = min(most or task.prompts, task.prompts)
        written = write_jsonl(out / f"{task.name}.jsonl", _lines(task, material, contract, count))
        yield f"{task.name}: {written} prompts in {out / task.name}.jsonl"


def _lines(task: RulerTask, material: Material, contract: PromptContract, count: int) -> Iterator[dict[str, Any]]:
    for index in range(count):
        made = make_prompt(task, index, material, lambda text: len(encode(task, contract, text)))
        yield {
            "index": index,
            "prompt": made.text,
            "expected": list(made.expected),
            "prompt_tokens": made.tokens,
            "max_new_tokens": task.max_new_tokens,
            "depths": list(made.depths),
        }
