"""Whether an RL stage came to solve what was never or hardly ever solved before it (Figure 10), from its metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.files import read_jsonl
from prism.errors import BadInput, UsageError
from prism.recipe.named import named_stage
from prism.tally.solvability import Solvability, solvability


@dataclass(frozen=True)
class HardStep:
    """See `prism.tally.solvability.Step`."""

    step: int
    hard_prompts: Mapping[str, Mapping[str, tuple[int, int]]]


def stage_solvability(text: str, steps_a_window: int | None = None) -> tuple[Solvability, ...]:
    """Of RUN:STAGE.

    Raises:
        UsageError: there is no such stage, it isn't RL, or its prompts went through no difficulty stage.
        BadInput: it hasn't run, its metrics are damaged or of a release that noted no counts, or none of its prompts
            had 0 or 1 right responses before.
    """
    recipe, stage = named_stage(text)
    node = recipe.pipeline[stage]
    if node.stage != "rl":
        raise UsageError(f"a {node.stage} stage, not RL", place=text, remedy="name an RL stage")
    if node.prompts_from is None:
        raise UsageError(
            "no difficulty stage measured its prompts",
            place=f"pipeline.{stage}.prompts_from",
            remedy="add a difficulty stage before it: {hard: {stage: difficulty, from: mid}}, prompts_from: hard",
        )
    path = recipe.stage_directory(stage) / "metrics.jsonl"
    if not path.is_file():
        raise BadInput("the stage hasn't run", place=str(path), remedy=f"prism run {recipe.run_directory}/recipe.yaml")
    found = solvability(list(_steps(path)), steps_a_window)
    if not found:
        raise BadInput(
            "no prompt that RL drew had 0 or 1 right responses before",
            place=str(path),
            remedy="widen rl.difficulty.min_correct..max_correct to let such prompts in",
        )
    return found


def rows(found: tuple[Solvability, ...]) -> list[dict[str, Any]]:
    """A flat row a window, for CSV."""
    return [
        {"before": one.before, "prompts_drawn": one.prompts, "ever_solved": one.solved, **vars(window)}
        for one in found
        for window in one.windows
    ]


def _steps(path: Path) -> Iterator[HardStep]:
    for number, row in enumerate(read_jsonl(path), start=1):
        counts = row.get("hard_prompts")
        if not isinstance(row.get("step"), int) or not isinstance(counts, dict):
            raise BadInput(
                "the step's line counts no hard prompts",
                place=f"{path}:{number}",
                remedy="the report shows the rates that older releases noted; run the stage again for counts",
            )
        yield HardStep(
            row["step"],
            {
                before: {name: (int(right), int(responses)) for name, (right, responses) in prompts.items()}
                for before, prompts in counts.items()
            },
        )
