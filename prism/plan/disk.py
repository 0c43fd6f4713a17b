"""What a recipe's run takes of the disk: tokens, checkpoints, exports, journals, weights kept for analysis."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from data_prep.errors import DataError
from prism.pipeline.budgets import blend_uses, forecast
from prism.recipe import TRAINING_KINDS, Recipe
from prism.recipe.schema.checkpoint import CheckpointConfig

_JOURNAL_BYTES = 8
"""Of a response's token: its number and its log-probability."""


@dataclass(frozen=True)
class Files:
    """Of a node or a stage. each_bytes x count; `count` is the most that lie there at once."""

    owner: str
    what: str
    each_bytes: float
    count: int

    @property
    def total_bytes(self) -> float:
        return self.each_bytes * self.count


def checkpoint_bytes(parameters: int, precision: str, *, reference: bool = False) -> float:
    """Weights, wide weights and two moments of a `torch_dist` checkpoint; RL's holds the reference too.

    In fp32 the weights are the wide ones.
    """
    return parameters * ((12 if precision == "fp32" else 14) + (4 if reference else 0))


def files(recipe: Recipe, parameters: int, vocab_size: int) -> Iterator[Files]:
    """What the run has written when it ends; a checkpoint counts once more while it is written."""
    yield from _tokens(recipe, vocab_size)
    for name, node in recipe.pipeline.items():
        if node.stage in TRAINING_KINDS:
            config = recipe.training_config(name)
            count = kept(config.checkpoint, config.steps) + 1
            yield Files(name, "checkpoints", checkpoint_bytes(parameters, config.precision), count)
        elif node.stage == "rl":
            rl = recipe.rl_config(name)
            size = checkpoint_bytes(parameters, rl.precision, reference=rl.kl_coefficient > 0)
            yield Files(name, "checkpoints", size, kept(rl.checkpoint, rl.steps) + 1)
            responses = rl.prompts_per_step * rl.responses_per_prompt * rl.max_response_tokens
            yield Files(name, "journal, at most", responses * _JOURNAL_BYTES, min(rl.steps, rl.checkpoint.every_steps))
            points = {step for step in rl.trajectory.steps if step <= rl.steps}
            if rl.trajectory.every_steps:
                points |= set(range(rl.trajectory.every_steps, rl.steps + 1, rl.trajectory.every_steps))
            if points:
                yield Files(name, "trajectory, at most", 2.0 * parameters, len(points))
        elif node.stage in ("import", "merge"):
            yield Files(name, "weights", 2.0 * parameters, 1)
    exported = [name for name in recipe.checkpoint_stages() if recipe.pipeline[name].stage != "import"]
    if exported:
        yield Files("all stages", "Hugging Face folders, where exported", 2.0 * parameters, len(exported))


def kept(config: CheckpointConfig, steps: int) -> int:
    """Checkpoints that lie there at the end of a stage."""
    made = -(-steps // config.every_steps)
    last = min(config.keep_last, made)
    if config.keep_every is None:
        return last
    saved = {*range(config.every_steps, steps + 1, config.every_steps), steps}
    for_good = {step for step in saved if step % config.keep_every == 0}
    return len(for_good | set(sorted(saved)[-last:]))


def _tokens(recipe: Recipe, vocab_size: int) -> Iterator[Files]:
    """As the index writes them: 2 bytes where the vocabulary is below 65,500, else 4; each source once.

    Nothing where a blend's sources are neither prepared nor stated: how many tokens they have isn't known yet.
    """
    sources: dict[str, float] = {}
    for use in blend_uses(recipe):
        with contextlib.suppress(DataError):
            for source in forecast(recipe, use.blend, use.tokens).sources:
                sources[source.name] = float(source.available)
    if sources:
        yield Files("data", "tokens", sum(sources.values()) * (2 if vocab_size < 65_500 else 4), 1)
