"""What must be there: for a use, for a recipe, or because the user says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prism.doctor.packages import package_names

if TYPE_CHECKING:
    from prism.recipe import Recipe

_BASE, _ENGINE, _DATA = package_names(None), package_names("engine"), package_names("data")

USES: dict[str, tuple[str, ...]] = {
    "laptop": (*_BASE, *_ENGINE, *_DATA),
    "train": (*_BASE, *_ENGINE, "gpu", "cuda", "nccl", "driver"),
    "launch": (*_BASE, "slurm"),
    "data": (*_BASE, *_DATA),
}
"""Rows that a use can't do without."""

_MOST_ON_A_CPU = 1_000_000_000


@dataclass(frozen=True)
class Needs:
    """Rows that must be there, room on the disk for a recipe's checkpoints, and the partition that its jobs go to."""

    rows: frozenset[str]
    checkpoint_bytes: int = 0
    partition: str | None = None


def needs_of(use: str, require: Iterable[str] = (), recipe: Recipe | None = None) -> Needs:
    """What `use` needs, with `require`, and with what a recipe asks for."""
    rows = {*USES[use], *require}
    if recipe is None:
        return Needs(frozenset(rows))
    partition = recipe.cluster.slurm.partition
    return Needs(frozenset(rows | set(_of_recipe(recipe))), _checkpoint_bytes(recipe), partition)


def _of_recipe(recipe: Recipe) -> Iterator[str]:
    from prism.pipeline.sizes import parameter_count
    from prism.recipe import TRAINING_KINDS

    for kernel in (recipe.kernels.scan, recipe.kernels.conv):
        if kernel not in ("auto", "torch"):
            yield kernel
    training = [recipe.training_config(name) for name, node in recipe.pipeline.items() if node.stage in TRAINING_KINDS]
    if any(config.precision == "fp8" for config in training):
        yield "transformer_engine"
    if parameter_count(recipe.model) > _MOST_ON_A_CPU and training:
        yield from ("gpu", "cuda", "nccl", "driver")
    slurm = recipe.cluster.slurm
    if slurm.partition is not None or slurm.account is not None:
        yield "slurm"
    if slurm.container is not None:
        yield "pyxis"  # enroot is on the compute nodes
    if _runs_programs(recipe) and not recipe.sandbox.allow_unsandboxed:
        yield "sandbox"


def _runs_programs(recipe: Recipe) -> bool:
    """Whether a stage rewards or filters programs that the model writes."""
    stages = [name for name, node in recipe.pipeline.items() if node.stage in ("rl", "difficulty")]
    return any("code" in recipe.rl_config(name).mix or "code" in recipe.rl_config(name).prompts for name in stages)


def _checkpoint_bytes(recipe: Recipe) -> int:
    """Of the stage whose kept checkpoints are the largest, with one more that is on its way."""
    from prism.pipeline.sizes import parameter_count, state_bytes
    from prism.recipe import TRAINING_KINDS

    parameters, most = parameter_count(recipe.model), 0
    for name, node in recipe.pipeline.items():
        if node.stage in TRAINING_KINDS:
            config = recipe.training_config(name)
            kept = (config.checkpoint.keep_last or 1) + 1
            most = max(most, kept * (state_bytes(parameters, config.precision) - 4 * parameters))
    return most
