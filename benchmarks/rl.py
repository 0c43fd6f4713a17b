"""RL against its peers, on one tiny model: rollouts, a whole GRPO step, and what the verifiers cost.

| ratio | ours over |
|---|---|
| rollout_*_over_transformers | `generate` of transformers on the same weights, 64 responses of one length |
| rollout_*_over_bare_loop | a bare PyTorch loop with caches at the same sizes, the same 64 responses |
| ragged_*_over_transformers | the same `generate` in static batches of 64, 512 prompts, lognormal lengths |
| step_*_over_trl | a step of TRL's GRPOTrainer: 16 prompts x 16 responses, one update |
| verifier_share | seconds that rewards take in a step, over the step's |

Lengths are forced on every contender alike. transformers and TRL are given the weights that ours exports.
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
from typing import TYPE_CHECKING, Any

import torch
from _harness import Ratio, median_seconds, quick, report
from _plain import PlainModel
from _plain_hybrid import PlainHybrid
from _trl import step_seconds

from prism.generate.megatron import MegatronLanguageModel
from prism.generate.protocol import Generator, Request, Response, Sampling
from prism.generate.sampling import sample_seed
from prism.megatron import checkpoint
from prism.megatron.parallel import Layout, process_groups
from prism.megatron.trainee import Trainee
from prism.pipeline.node import dispatch
from prism.prompts import PromptContract
from prism.prompts.export import export_checkpoint
from prism.recipe import Recipe, load_recipe
from prism.rl.clock import StepClock
from prism.rl.collect import Collector
from prism.rl.journal import Journal
from prism.rl.prompts import PromptSampler, RlPrompt, load_prompt_set
from prism.rl.reference import Reference
from prism.rl.update import Updater
from prism.score.rewards import Answered, judge

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SLOTS, WIDTH, GROUP = 64, 20, 16
MEDIAN, LONGEST, SPREAD = 40, 512, 1.0
WORLD = {
    "general": 20_000, "song": 12_000, "arithmetic": 6_000, "raw_questions": 6_000,
    "math": 30_000, "code": 16_000, "science": 16_000,
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """A recipe with its data, and an initialised model on disk as ours and as Hugging Face has it."""

    recipe: Recipe
    weights: checkpoint.Checkpoint
    hf: Path
    contract: PromptContract

    @property
    def vocabulary(self) -> int:
        return self.contract.vocab_size


def main() -> None:
    small = quick()
    rounds, steps = (1, 1) if small else (5, 3)
    ratios: dict[str, Ratio] = {}
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as root, process_groups(Layout(), seed=1):
        for kind, name in (("dense", "miniature"), ("hybrid", "miniature_hybrid")):
            world = prepared(name, Path(root))
            equal(kind, world, ratios, figures, 16 if small else MEDIAN, rounds)
            ragged(kind, world, ratios, figures, (64, 16, 64) if small else (512, SLOTS, LONGEST), 1 if small else 2)
            if kind == "dense":
                grpo(world, ratios, figures, Path(root), steps, 4 if small else 16, 64 if small else LONGEST)
    report("rl", ratios, figures)


def prepared(name: str, root: Path) -> World:
    overrides = [
        f"run.directory={root}", f"run.name={name}", "model.max_position_embeddings=1024",
        *(f"data.world.tokens.{source}={words}" for source, words in WORLD.items()),
    ]  # fmt: skip
    recipe = load_recipe(name, overrides)
    dispatch(recipe, recipe.run_directory, "data")
    contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
    trainee = Trainee(recipe.model, contract.vocab_size, Layout(), recipe.rl.optimizer)
    trainee.initialise(seed=1)
    weights = trainee.save(root / f"{name}.start", 0, {})
    hf = root / f"{name}.hf"
    export_checkpoint(recipe, weights, hf)
    return World(recipe, weights, hf, contract)


def generator(world: World, slots: int) -> MegatronLanguageModel:
    trainee = Trainee(world.recipe.model, world.vocabulary, Layout(), world.recipe.rl.optimizer)
    trainee.load_weights(world.weights)
    return MegatronLanguageModel(trainee.chunk, world.vocabulary, 1024, slots)


def peer(world: World) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(world.hf, dtype=torch.float32)
    model.generation_config.eos_token_id = None
    return model.eval()


def drawn_lengths(count: int, longest: int) -> list[int]:
    """Lognormal, median 40; of a mean of about 65 with a few at the end."""
    stream = random.Random(5)
    return [max(1, min(longest, round(MEDIAN * stream.lognormvariate(0, SPREAD)))) for _ in range(count)]


def equal(kind: str, world: World, ratios: dict[str, Ratio], figures: dict[str, Any], new: int, rounds: int) -> None:
    """64 responses of one length."""
    given = torch.randint(4, world.vocabulary, (SLOTS, WIDTH), generator=torch.Generator().manual_seed(1))
    requests = [Request(prompt, sample_seed(number)) for number, prompt in enumerate(given.tolist())]
    ours, theirs = generator(world, SLOTS), peer(world)
    bare = (PlainModel if kind == "dense" else PlainHybrid)(world.vocabulary).eval()
    long = given if kind == "dense" else given[:, -1:]  # the bare hybrid takes its prompt token by token: it gets one
    seconds = median_seconds(
        {
            "ours": lambda: ours.generate(requests, Sampling(1.0, 1.0, new, ())),
            "transformers": lambda: hf_generate(theirs, given, [new] * SLOTS),
            "bare loop": lambda: bare.generate(long, new),
        },
        rounds,
    )
    speed = {name: SLOTS * new / value for name, value in seconds.items()}
    figures |= {f"rollout, {kind}, {name}, tokens/s": round(value, 1) for name, value in speed.items()}
    ratios[f"rollout_{kind}_over_transformers"] = Ratio(speed["ours"] / speed["transformers"], 2.0)
    ratios[f"rollout_{kind}_over_bare_loop"] = Ratio(speed["ours"] / speed["bare loop"], 0.6)


def ragged(
    kind: str, world: World, ratios: dict[str, Ratio], figures: dict[str, Any], sizes: tuple[int, int, int], rounds: int
) -> None:
    """Many prompts over few slots, lengths of all kinds."""
    count, slots, longest = sizes
    lengths = drawn_lengths(count, longest)
    given = torch.randint(4, world.vocabulary, (count, WIDTH), generator=torch.Generator().manual_seed(2))
    requests = [
        Request(prompt, sample_seed(number), length)
        for number, (prompt, length) in enumerate(zip(given.tolist(), lengths, strict=True))
    ]
    ours, theirs = generator(world, slots), peer(world)

    def static() -> None:
        for start in range(0, count, slots):
            hf_generate(theirs, given[start : start + slots], lengths[start : start + slots])

    seconds = median_seconds(
        {"ours": lambda: ours.generate(requests, Sampling(1.0, 1.0, longest, ())), "transformers": static}, rounds
    )
    figures |= {f"ragged, {kind}, {name}, tokens/s": round(sum(lengths) / s, 1) for name, s in seconds.items()}
    figures["ragged, mean and longest length"] = [round(statistics.fmean(lengths), 1), max(lengths)]
    ratios[f"ragged_{kind}_over_transformers"] = Ratio(seconds["transformers"] / seconds["ours"], 5.0)


def hf_generate(model: PreTrainedModel, prompts: torch.Tensor, lengths: Sequence[int]) -> None:
    from transformers import StoppingCriteria, StoppingCriteriaList

    wanted, width = torch.tensor(lengths), prompts.shape[1]

    class Done(StoppingCriteria):  # type: ignore[misc]
        def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
            return wanted <= input_ids.shape[1] - width

    with torch.inference_mode():
        model.generate(
            input_ids=prompts,
            attention_mask=torch.ones_like(prompts),
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=max(lengths),
            pad_token_id=0,
            stopping_criteria=StoppingCriteriaList([Done()]),
        )


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
    forced = Forced(MegatronLanguageModel(trainee.chunk, world.vocabulary, 1024, config.generator.slots), lengths)
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
