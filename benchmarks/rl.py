"""RL against its peer, on one tiny model: a whole GRPO step, and what the verifiers cost.

| ratio | ours over |
|---|---|
| step_*_over_trl | a step of TRL's GRPOTrainer: 16 prompts x 16 responses, one update |
| verifier_share | seconds that rewards take in a step, over the step's |

Lengths are forced on both alike. TRL is given the weights that ours exports. Rollouts by themselves: generation.py.
"""

from __future__ import annotations

import json
import logging
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from _harness import Ratio, quick, report
from _trl import step_seconds
from _world import CONTEXT, MEDIAN, World, drawn_lengths, prepared

from prism.generate.megatron import MegatronLanguageModel
from prism.generate.protocol import Generator, Request, Response, Sampling
from prism.megatron.parallel import Layout, process_groups
from prism.megatron.trainee import Trainee
from prism.rl.clock import StepClock
from prism.rl.collect import Collector
from prism.rl.journal import Journal
from prism.rl.prompts import PromptSampler, RlPrompt, load_prompt_set
from prism.rl.reference import Reference
from prism.rl.update import Updater
from prism.score.rewards import Answered, judge

GROUP = 16


def main() -> None:
    small = quick()
    ratios: dict[str, Ratio] = {}
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as root, process_groups(Layout(), seed=1):
        world = prepared("miniature", Path(root))
        grpo(world, ratios, figures, Path(root), *((1, 4, 64) if small else (3, 16, 512)))
    report("rl", ratios, figures)


@dataclass(frozen=True)
class Forced(Generator):
    """Gives every response its length."""

    inner: Generator
    lengths: Sequence[int]

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
        forced = [replace(one, max_new_tokens=length) for one, length in zip(requests, self.lengths, strict=True)]
        return self.inner.generate(forced, replace(sampling, stop_ids=(), max_new_tokens=max(self.lengths)))


def grpo(
    world: World,
    ratios: dict[str, Ratio],
    figures: dict[str, Any],
    root: Path,
    steps: int,
    count: int,
    longest: int,
) -> None:
    """Whole steps of `count` prompts, in turn with TRL's."""
    prompts = {
        domain: load_prompt_set(world.recipe, domain, entry) for domain, entry in world.recipe.rl.prompts.items()
    }
    asked = [prompt.question for prompt in prompts["math"][:64]]
    (world.hf / "prompts.json").write_text(json.dumps(asked))
    for kind, goal, lengths in (
        ("uniform", 1.3, [MEDIAN] * count * GROUP),
        ("ragged", 3.0, drawn_lengths(count * GROUP, longest)),
    ):
        ours: list[float] = []
        theirs: list[float] = []
        shares: list[float] = []
        for turn in range(1 if steps == 1 else 2):
            theirs += step_seconds(world.hf, lengths, count, GROUP, steps + 1)[1:]
            with stepping(world, prompts, lengths, root / f"{kind}.{turn}") as step:
                step()
                for _ in range(steps):
                    took, rewards = step()
                    ours.append(took)
                    shares.append(rewards / took)
        figures[f"step, {kind}, ours, s"] = round(statistics.median(ours), 3)
        figures[f"step, {kind}, TRL, s"] = round(statistics.median(theirs), 3)
        ratios[f"step_{kind}_over_trl"] = Ratio(statistics.median(theirs) / statistics.median(ours), goal)
        if kind == "uniform":
            checked = seconds_of_verdicts(world, prompts)
            figures["rewards of a step of fresh right and wrong answers, s"] = round(checked, 4)
            worst = max(checked / statistics.median(ours), statistics.median(shares))
            ratios["verifier_share"] = Ratio(worst, 0.05, "at_most")


@contextmanager
def stepping(
    world: World, prompts: dict[str, list[RlPrompt]], lengths: Sequence[int], folder: Path
) -> Iterator[Callable[[], tuple[float, float]]]:
    """Makes a function that takes a GRPO step: sampling, rewards, journal, reference, update; (seconds, of rewards)."""
    config = world.recipe.rl.model_copy(
        update={"prompts_per_step": len(lengths) // GROUP, "responses_per_prompt": GROUP, "micro_batch_size": 64}
    )
    trainee = Trainee(world.recipe.model, world.vocabulary, Layout(), config.optimizer)
    trainee.load_weights(world.weights)
    reference = Reference(world.recipe.model, world.vocabulary, Layout(), "fp32", offload=False)
    reference.load(world.weights)
    forced = Forced(MegatronLanguageModel(trainee.chunk, world.vocabulary, CONTEXT, config.generator.slots), lengths)
    clock = StepClock(None)
    sampler = PromptSampler(prompts, {"math": 100}, seed=1)  # as TRL's
    collector = Collector(config, forced, world.contract, sampler, Journal(folder), clock, seed=1)
    updater = Updater(config, trainee, reference, clock)
    number = 0

    def step() -> tuple[float, float]:
        nonlocal number
        number += 1
        with clock.step(number):
            began = time.perf_counter()
            collected = collector.collect(number)
            everything = replace(collected, live=range(collected.groups))  # TRL trains on groups without variance, too
            updater.update(everything, 3e-4)
            reference.follow(trainee, 0.05)
            return time.perf_counter() - began, clock.seconds()["reward_seconds"]

    yield step


def seconds_of_verdicts(world: World, prompts: dict[str, list[RlPrompt]]) -> float:
    """Median seconds to judge a step's worth of well-formed answers that weren't seen before, half of them right."""
    stream, taken = random.Random(3), []
    for repeat in range(7):
        items = []
        for domain, share in (("math", 8), ("code", 4), ("science", 4)):
            for prompt in stream.sample(prompts[domain], share):
                for number in range(GROUP):
                    answer = str(prompt.row["answer"]) + ("" if number % 2 else f" + {repeat}{number}")
                    items.append(Answered(prompt.row, f"<think> step </think> {answer}", [1, 2, 3], True))
        began = time.perf_counter()
        judge(items, world.recipe.rl.rewards)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


if __name__ == "__main__":
    os.environ |= {"PRISM_BACKEND": "cpu", "TOKENIZERS_PARALLELISM": "false"}
    logging.disable(logging.INFO)
    main()
