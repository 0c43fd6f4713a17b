"""Where the optimizer and the generator are while responses are sampled.

While a step samples, the optimizer's state lies on the host with `offload_optimizer`, and colocated servers wake when
they are asked; afterwards they sleep. Servers with GPUs of their own never sleep, the megatron generator has nothing to
wake: it reads the trainer's weights in place. The reference moves itself (`prism.rl.reference`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from prism.generate.protocol import Generator
from prism.generate.vllm.generator import VllmGenerator
from prism.megatron.offload import OptimizerParking
from prism.rl.generators import build_generator

if TYPE_CHECKING:
    from prism.megatron.trainee import Trainee
    from prism.prompts import PromptContract
    from prism.recipe import Recipe, RlConfig
    from prism.recipe.schema.generator import PlacementConfig


def build_placement(
    recipe: Recipe, config: RlConfig, contract: PromptContract, trainee: Trainee, folder: Path | None = None
) -> Placement:
    """The recipe's placement, with the generator that it asks for; see `build_generator`. Collective."""
    return Placement(config.placement, build_generator(recipe, config, contract, trainee, folder), trainee)


class Placement:
    """Moves what must make room. All ranks hold one and call its methods together.

    generator: samples responses, inside `generating`.
    """

    def __init__(self, config: PlacementConfig, generator: Generator, trainee: Trainee) -> None:
        self.generator = generator
        self._servers = generator if isinstance(generator, VllmGenerator) else None
        self._colocated = config.mode == "colocated"
        self._parking = OptimizerParking(trainee.chunks, trainee.optimizer) if config.offload_optimizer else None

    @contextmanager
    def generating(self) -> Iterator[None]:
        """The optimizer out of the way; colocated servers wake, with the newest weights, when they are asked."""
        with self._parking.parked() if self._parking is not None else nullcontext():
            yield
            if self._servers is not None and self._colocated:  # not after an error: other ranks wouldn't come here
                self._servers.sleep()

    def after_update(self, version: int) -> None:
        """Says that the weights are policy `version` now: call it after each update, and once before the first step.

        Servers with GPUs of their own get them at once, colocated ones when they wake.
        """
        if self._servers is None:
            return
        self._servers.set_version(version)
        if not self._colocated:
            self._servers.prepare()

    def close(self) -> None:
        """Ends servers that were started."""
        if self._servers is not None:
            self._servers.close()
