"""Prompt sets of the RL stage, and the draw of each step's prompts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.files import read_jsonl
from prism.errors import BadInput

if TYPE_CHECKING:
    from prism.recipe import PromptSetConfig, Recipe


@dataclass(frozen=True)
class RlPrompt:
    """A question with a verifiable answer. `row` is the line of the prompt set, as the verifiers read it."""

    domain: str
    question: str
    row: Mapping[str, Any]


def load_prompts(
    path: Path,
    domain: str,
    *,
    prompt: str = "prompt",
    answer: str = "answer",
    verifier: Mapping[str, Any] | None = None,
) -> list[RlPrompt]:
    """Reads a prompt set: JSON lines with a question, its answer, and a verifier (or one `verifier` for all).

    Args:
        prompt, answer: the columns' names.

    Raises:
        BadInput: the file is missing or empty, or a row lacks a column.
    """
    if not path.is_file():
        raise BadInput("the prompt set is missing", place=str(path), remedy="run the stage that makes it")
    prompts = []
    for number, row in enumerate(read_jsonl(path), start=1):
        question = row.get(prompt)
        if not isinstance(question, str) or answer not in row or not (verifier or "verifier" in row):
            raise BadInput(
                f"a prompt needs {prompt!r}, {answer!r} and a verifier",
                place=f"{path}:{number}",
                remedy="name the columns under rl.prompts, and a verifier such as {kind: math}",
            )
        judged = {**row, "prompt": question, "answer": row[answer], "verifier": dict(verifier or row["verifier"])}
        prompts.append(RlPrompt(row.get("domain", domain), question, judged))
    if not prompts:
        raise BadInput("no prompts", place=str(path), remedy="check the filter that made the file")
    return prompts


def load_prompt_set(recipe: Recipe, domain: str, config: PromptSetConfig) -> list[RlPrompt]:
    """A domain's prompts as the recipe names them; see `load_prompts`."""
    return load_prompts(
        recipe.resolve(config.path), domain, prompt=config.prompt, answer=config.answer, verifier=config.verifier
    )


class PromptSampler:
    """Draws each step's prompts: domains by the mix, prompts of a domain in shuffled passes without repeats.

    The draw of a step depends on the seed and the step alone, so a resumed run sees the same prompts.

    Args:
        mix: percent by domain.
    """

    def __init__(self, prompts: Mapping[str, Sequence[RlPrompt]], mix: Mapping[str, float], seed: int) -> None:
        self._prompts = {domain: list(prompts[domain]) for domain, percent in mix.items() if percent > 0}
        self._weights = [mix[domain] for domain in self._prompts]
        self._seed = seed

    def draw(self, step: int, count: int) -> list[RlPrompt]:
        """The prompts of step `step` (from 1)."""
        used = self._used_before(step, count)
        drawn = []
        for domain in self._domains(step, count):
            drawn.append(self._nth(domain, used[domain]))
            used[domain] += 1
        return drawn

    def _used_before(self, step: int, count: int) -> Counter[str]:
        used: Counter[str] = Counter()
        for earlier in range(1, step):
            used.update(self._domains(earlier, count))
        return used

    def _domains(self, step: int, count: int) -> list[str]:
        generator = random.Random(f"{self._seed}/domains/{step}")
        return generator.choices(list(self._prompts), self._weights, k=count)

    def _nth(self, domain: str, position: int) -> RlPrompt:
        prompts = self._prompts[domain]
        turn, index = divmod(position, len(prompts))
        order = list(range(len(prompts)))
        random.Random(f"{self._seed}/{domain}/{turn}").shuffle(order)
        return prompts[order[index]]
