"""How long an RL step takes: a rough model, for responses of full length, so an upper bound.

| part | seconds |
|---|---|
| rollout | tokens one after the other; at each, weights and the caches so far are read once |
| reference | one forward pass over the responses |
| update | the trainer's steps over them |

A generator that has more responses than slots takes them in turns. Verifiers and weight sync aren't counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from prism.plan.devices import Device, Efficiency
from prism.plan.memory import census_of
from prism.plan.rl_memory import BYTES, sequence_bytes, slots, trainer_work
from prism.plan.time import forward_s, step_time
from prism.recipe import ClusterConfig, ModelConfig, Recipe, RlConfig
from prism.recipe.layouts import replica_size


@dataclass(frozen=True)
class RlTime:
    """Seconds of a step."""

    rollout_s: float
    reference_s: float
    update_s: float

    @property
    def total_s(self) -> float:
        return self.rollout_s + self.reference_s + self.update_s


def rl_time(recipe: Recipe, stage: str, vocab_size: int, device: Device, efficiency: Efficiency) -> RlTime:
    """Of a step of RL stage `stage`."""
    config, cluster, model = recipe.rl_config(stage), recipe.cluster_config(stage), recipe.model
    work = trainer_work(model, vocab_size, config, cluster)
    reference = forward_s(work, device, efficiency) * work.micro_batches * config.updates_per_step
    return RlTime(
        rollout_s=rollout_s(model, config, cluster, census_of(work).model_parameters, device, efficiency),
        reference_s=reference if config.kl_coefficient > 0 else 0.0,
        update_s=step_time(work, device, efficiency).total_s * config.updates_per_step,
    )


def rollout_s(
    model: ModelConfig,
    config: RlConfig,
    cluster: ClusterConfig,
    parameters: int,
    device: Device,
    efficiency: Efficiency,
) -> float:
    """Seconds that a step's responses take, all of full length.

    Args:
        parameters: of the whole model.
    """
    responses = config.prompts_per_step * config.responses_per_prompt
    if config.generator.kind == "megatron":
        together, replicas = slots(config, cluster), max(1, cluster.processes // replica_size(cluster))
        share, width = cluster.tensor_parallel, BYTES[config.precision]
        # Pipeline stages work one after the other: each reads its own share of weights and caches.
        stages = cluster.pipeline_parallel
    else:
        vllm = config.generator.vllm
        together = min(config.generator.vllm.in_flight, responses)
        replicas, share, width, stages = max(vllm.engines, len(vllm.urls)), vllm.tensor_parallel, BYTES[vllm.dtype], 1
    rounds = math.ceil(responses / replicas / together)
    length = min(model.max_position_embeddings, config.max_response_tokens)
    read = parameters * width / share + together * sequence_bytes(model, config, cluster) * stages / 2
    a_token = read / (device.memory_bytes_s * efficiency.decode)
    return (
        rounds * length * max(a_token, 10 * len(model.hybrid_pattern or "*" * model.num_layers) * efficiency.kernel_s)
    )
