"""Prompt sets of the RL stage, and the draw of each step's prompts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.api import prompts_path
from data_prep.files import read_jsonl
from prism.errors import BadInput
from prism.recipe.prompt_sets import prompts_read

if TYPE_CHECKING:
    from prism.recipe import PromptSetConfig, Recipe


@dataclass(frozen=True)
class RlPrompt:
    """A question with a verifiable answer. `row` is the line of the prompt set, as the verifiers read it.

    correct_before, samples_before: how many of so many responses were right in the difficulty stage that kept the
        prompt (Figure 10 follows those with 0 or 1 of 16); None where none measured it.
    """

    domain: str
    question: str
    row: Mapping[str, Any]
    correct_before: int | None = None
    samples_before: int | None = None


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
        prompts.append(RlPrompt(row.get("domain", domain), question, judged, row.get("correct"), row.get("samples")))
    if not prompts:
        raise BadInput("no prompts", place=str(path), remedy="check the filter that made the file")
    return prompts


def load_prompt_set(recipe: Recipe, domain: str, config: PromptSetConfig) -> list[RlPrompt]:
    """A domain's prompts as the recipe names them, a file or what was prepared from sources; see `load_prompts`."""
    path = prompts_path(recipe.data_directory, domain) if config.path is None else recipe.resolve(config.path)
    return load_prompts(path, domain, prompt=config.prompt, answer=config.answer, verifier=config.verifier)


def stage_prompts(recipe: Recipe, stage: str) -> dict[str, list[RlPrompt]]:
    """The prompts of an rl stage by domain: those that a difficulty stage kept, or the recipe's whole sets.

    Raises:
        BadInput: a set is missing or damaged.
    """
    source = recipe.pipeline[stage].prompts_from
    if source is None:
        return {
            domain: load_prompt_set(recipe, domain, config) for domain, config in prompts_read(recipe, stage).items()
        }
    by_domain: dict[str, list[RlPrompt]] = {}
    for prompt in load_prompts(recipe.stage_directory(source) / "prompts.jsonl", "?"):
        by_domain.setdefault(prompt.domain, []).append(prompt)
    return by_domain


class PromptSampler:
    """Draws each round's prompts: domains by the mix, prompts of a domain in shuffled passes without repeats.

    Rounds may be of any number and size: what was drawn so far is the sampler's state, a number a domain, which goes
    into a checkpoint. A draw depends on the seed, the step, the round and that state alone, so a resumed run sees the
    same prompts.

    Args:
        mix: percent by domain.

    Raises:
        BadInput: a domain of the mix has no prompts.
    """

    def __init__(self, prompts: Mapping[str, Sequence[RlPrompt]], mix: Mapping[str, float], seed: int) -> None:
        wanted = [domain for domain, percent in mix.items() if percent > 0]
        for domain in wanted:
            if not prompts.get(domain):
                raise BadInput(
                    f"no {domain} prompts to draw from",
                    place="rl.mix",
                    remedy=f"leave {domain} out of the mix, or give it prompts under rl.prompts",
                )
        self._passes = {domain: _Passes(prompts[domain], f"{seed}/{domain}") for domain in wanted}
        self._weights = [mix[domain] for domain in wanted]
        self._seed = seed

    def draw(self, step: int, round: int, count: int) -> list[RlPrompt]:
        """The next `count` prompts, for a round (from 0) of step `step` (from 1)."""
        generator = random.Random(f"{self._seed}/domains/{step}/{round}")
        domains = generator.choices(list(self._passes), self._weights, k=count)
        return [self._passes[domain].take() for domain in domains]

    def state(self) -> dict[str, int]:
        """Prompts drawn so far, by domain."""
        return {domain: passes.used for domain, passes in self._passes.items()}

    def restore(self, state: Mapping[str, int]) -> None:
        """Goes on from what `state` gave.

        Raises:
            BadInput: the state is of other domains.
        """
        if state.keys() != self._passes.keys():
            raise BadInput(
                f"the checkpoint drew prompts of {', '.join(state) or 'no domain'}, the recipe's mix names "
                f"{', '.join(self._passes)}",
                place="rl.mix",
                remedy="resume with the mix that the run began with, or start the stage anew",
            )
        for domain, used in state.items():
            self._passes[domain].used = used


class _Passes:
    """A domain's prompts, pass after pass, each in an order of its own that (seed, domain, pass) alone decides."""

    def __init__(self, prompts: Sequence[RlPrompt], name: str) -> None:
        self.used = 0
        self._prompts = prompts
        self._name = name
        self._pass = -1
        self._order: list[int] = []

    def take(self) -> RlPrompt:
        number, place = divmod(self.used, len(self._prompts))
        if number != self._pass:
            self._order = list(range(len(self._prompts)))
            random.Random(f"{self._name}/{number}").shuffle(self._order)
            self._pass = number
        self.used += 1
        return self._prompts[self._order[place]]
