"""A difficulty stage: what its generator takes of a GPU, and how long it samples.

Nothing trains there: a megatron generator holds its weights and caches alone. With vLLM the trainer that gives the
servers their weights lies beside them, as while an RL stage rolls out. Times are those of responses of full length, so
upper bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prism.errors import GateRefused
from prism.plan.devices import constants, device_of
from prism.plan.memory import GIB, census_of, ranks, worst
from prism.plan.rl_memory import BYTES, Phase, check_rl_memory, in_words, sequence_bytes, slots, trainer_work
from prism.plan.rl_time import rollout_s
from prism.recipe import ClusterConfig, Recipe, RlConfig
from prism.recipe.layouts import replica_size
from prism.recipe.prompt_sets import PROMPTS_AT_ONCE, prompts_read


@dataclass(frozen=True)
class SamplingPlan:
    """prompts: how many the recipe asks for; None where it takes prompt sets whole.

    samples: responses a prompt.  phase: what lies on a GPU meanwhile.
    sequences: of full length, in the caches of a replica or a server.
    a_thousand_s: seconds for 1,000 prompts.
    """

    name: str
    parent: str | None
    cluster: ClusterConfig
    prompts: int | None
    samples: int
    response_tokens: int
    phase: Phase
    device_gib: float
    sequences: float
    a_thousand_s: float

    @property
    def seconds(self) -> float | None:
        """Of all prompts."""
        return None if self.prompts is None else self.a_thousand_s * self.prompts / 1_000


def sampling_plan(recipe: Recipe, stage: str, vocab_size: int) -> SamplingPlan | None:
    """Of difficulty stage `stage`; None where it only mixes what another measured.

    Raises:
        GateRefused: its GPUs don't hold weights and caches; the remedy is a number of slots with which they do.
    """
    node, cluster = recipe.pipeline[stage], recipe.cluster_config(stage)
    if node.prompts_from is not None:
        return None
    replicas = max(1, cluster.processes // replica_size(cluster))
    own = recipe.rl_config(stage)
    together = {"prompts_per_step": PROMPTS_AT_ONCE * replicas, "responses_per_prompt": own.difficulty.samples}
    config = own.model_copy(update=together)
    device = device_of(cluster, f"pipeline.{stage}.cluster")
    if config.generator.kind == "vllm":
        found = check_rl_memory(recipe, stage, vocab_size)
        phase, sequences = found.phases[0], found.sequences
    else:
        phase, sequences = _checked(recipe, stage, vocab_size, config, cluster, device.memory_gib)
    parameters = census_of(trainer_work(recipe.model, vocab_size, config, cluster)).model_parameters
    batch_s = rollout_s(recipe.model, config, cluster, parameters, device, constants().efficiency)
    return SamplingPlan(
        name=stage,
        parent=node.parent,
        cluster=cluster,
        prompts=_prompts(recipe, stage, config),
        samples=config.responses_per_prompt,
        response_tokens=min(config.max_response_tokens, recipe.model.max_position_embeddings),
        phase=phase,
        device_gib=device.memory_gib,
        sequences=sequences,
        a_thousand_s=batch_s * 1_000 / config.prompts_per_step,
    )


def _checked(
    recipe: Recipe, stage: str, vocab_size: int, config: RlConfig, cluster: ClusterConfig, gib: float
) -> tuple[Phase, float]:
    rank = worst(ranks(trainer_work(recipe.model, vocab_size, config, cluster), constants().overhead))
    fixed = {
        "weights": float(BYTES[config.precision] * rank.parameters),
        "buffers": rank.memory.buffers,
        "overhead": rank.memory.overhead,
    }
    room = gib * GIB - sum(fixed.values())
    for number in _halved(slots(config, cluster)):
        caches = number * sequence_bytes(recipe.model, config, cluster)
        if caches <= room:
            if number == slots(config, cluster):
                return Phase("sampling", {**fixed, "caches": caches}), number
            remedy = f"set pipeline.{stage}.with.generator.slots to {number}"
            break
    else:
        remedy = "raise cluster.tensor_parallel"
    full = Phase(
        "sampling", {**fixed, "caches": slots(config, cluster) * sequence_bytes(recipe.model, config, cluster)}
    )
    raise GateRefused(
        f"{in_words(full)} don't fit the {gib:g} GiB of a {cluster.device}", place=f"pipeline.{stage}", remedy=remedy
    )


def _halved(number: int) -> Iterator[int]:
    while number >= 1:
        yield number
        number //= 2


def _prompts(recipe: Recipe, stage: str, config: RlConfig) -> int | None:
    """The sum of `prompts_per_domain`, where it bounds every domain that is read."""
    asked = [config.difficulty.prompts_per_domain.get(domain) for domain in prompts_read(recipe, stage)]
    return None if None in asked else sum(number for number in asked if number is not None)
