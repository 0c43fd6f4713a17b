"""The plan of every stage: tokens, steps, memory of each rank, step time, days; the plan of a whole recipe."""

from __future__ import annotations

from dataclasses import dataclass

from prism.plan.devices import constants, device_of
from prism.plan.disk import Files, files
from prism.plan.memory import GIB, Rank, census_of, ranks, training_work, worst
from prism.plan.rl_memory import RlMemory, check_rl_memory, trainer_work
from prism.plan.rl_time import RlTime, rl_time
from prism.plan.sampling import SamplingPlan, sampling_plan
from prism.plan.time import StepTime, step_time
from prism.recipe import TRAINING_KINDS, ClusterConfig, Recipe
from prism.recipe.schema.training import MidtrainConfig

_HOUR_S, _DAY_S = 3_600.0, 86_400.0


@dataclass(frozen=True)
class StagePlan:
    """A training or RL stage. `rl` holds what only an RL stage has.

    ranks: every pipeline rank of a replica.
    """

    name: str
    kind: str
    parent: str | None
    cluster: ClusterConfig
    steps: int
    sequence_length: int
    sequences: int
    tokens: int
    device_gib: float
    ranks: tuple[Rank, ...]
    step_s: float
    time: StepTime | None = None
    rl: RlMemory | None = None
    rl_time: RlTime | None = None

    @property
    def worst(self) -> Rank:
        return worst(self.ranks)

    @property
    def fits(self) -> bool:
        """Whether the fullest rank fits; an RL stage's phases are checked where they are planned."""
        return self.rl is not None or self.worst.memory.total <= self.device_gib * GIB

    @property
    def days(self) -> float:
        return self.steps * self.step_s / _DAY_S

    @property
    def gpu_hours(self) -> float:
        return self.steps * self.step_s * self.cluster.processes / _HOUR_S


@dataclass(frozen=True)
class Plan:
    """parameters: of the model, no padding and no copies.

    stages: those that train.  samplings: those that only sample.
    """

    name: str
    parameters: int
    vocab_size: int
    stages: tuple[StagePlan, ...]
    samplings: tuple[SamplingPlan, ...]
    files: tuple[Files, ...]


def plan(recipe: Recipe, only: str | None = None) -> Plan:
    """The plan of a recipe, or of its stage `only`.

    Raises:
        GateRefused: an RL or difficulty stage doesn't fit its devices.
        RecipeError: a cluster section names an unknown device.
    """
    vocab_size = vocabulary(recipe)
    names = [name for name in recipe.pipeline if only in (None, name)]
    stages = [stage for name in names if (stage := plan_stage(recipe, name, vocab_size)) is not None]
    filters = [name for name in names if recipe.pipeline[name].stage == "difficulty"]
    samplings = [found for name in filters if (found := sampling_plan(recipe, name, vocab_size)) is not None]
    parameters = model_parameters(recipe, vocab_size)
    disk = tuple(files(recipe, parameters, vocab_size))
    return Plan(recipe.run.name, parameters, vocab_size, tuple(stages), tuple(samplings), disk)


def vocabulary(recipe: Recipe) -> int:
    """Rows of the token tables, as far as the recipe tells: the model's, else the tokenizer's as it will be made."""
    return recipe.model.vocab_size or recipe.data.tokenizer.vocab_size


def model_parameters(recipe: Recipe, vocab_size: int) -> int:
    """Of the whole model, counted in the real one."""
    cluster = recipe.cluster.model_copy(
        update={"tensor_parallel": 1, "pipeline_parallel": 1, "context_parallel": 1, "sequence_parallel": False}
    )
    config = recipe.midtrain.model_copy(update={"sequence_length": 128, "micro_batch_size": 1, "trainable": "all"})
    return census_of(training_work(recipe.model, vocab_size, cluster, config)).model_parameters


def plan_stage(recipe: Recipe, name: str, vocab_size: int) -> StagePlan | None:
    """None for a stage that doesn't train."""
    kind = recipe.pipeline[name].stage
    if kind in TRAINING_KINDS:
        return training_plan(recipe, name, vocab_size, recipe.cluster_config(name), recipe.training_config(name))
    return _rl(recipe, name, vocab_size) if kind == "rl" else None


def training_plan(
    recipe: Recipe, name: str, vocab_size: int, cluster: ClusterConfig, config: MidtrainConfig
) -> StagePlan:
    """Of a training stage at `cluster` with `config`, which need not be the recipe's own."""
    device, used = device_of(cluster, f"pipeline.{name}.cluster"), constants()
    work = training_work(recipe.model, vocab_size, cluster, config)
    time = step_time(work, device, used.efficiency)
    return StagePlan(
        name=name,
        kind=recipe.pipeline[name].stage,
        parent=recipe.pipeline[name].parent,
        cluster=cluster,
        steps=config.steps,
        sequence_length=config.sequence_length,
        sequences=config.global_batch_size,
        tokens=config.tokens,
        device_gib=device.memory_gib,
        ranks=tuple(ranks(work, used.overhead)),
        step_s=time.total_s,
        time=time,
    )


def _rl(recipe: Recipe, name: str, vocab_size: int) -> StagePlan:
    config, cluster = recipe.rl_config(name), recipe.cluster_config(name)
    device, used = device_of(cluster, f"pipeline.{name}.cluster"), constants()
    memory = check_rl_memory(recipe, name, vocab_size)
    work = trainer_work(recipe.model, vocab_size, config, cluster)
    time = rl_time(recipe, name, vocab_size, device, used.efficiency)
    responses = config.prompts_per_step * config.responses_per_prompt
    return StagePlan(
        name=name,
        kind="rl",
        parent=recipe.pipeline[name].parent,
        cluster=cluster,
        steps=config.steps,
        sequence_length=config.max_response_tokens,
        sequences=responses,
        tokens=config.steps * responses * config.max_response_tokens,
        device_gib=device.memory_gib,
        ranks=tuple(ranks(work, used.overhead)),
        step_s=time.total_s,
        rl=memory,
        rl_time=time,
    )
