"""A model at its true size and layout, built without memory: of torch's fake tensors, one process as every rank."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch.distributed as dist
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing._internal.distributed.fake_pg import FakeStore

from prism.errors import RecipeError, UsageError
from prism.formats.megatron_keys import padded_vocabulary
from prism.megatron.build import construct
from prism.megatron.config import transformer_config
from prism.megatron.layout import layout_of
from prism.megatron.parallel import Layout, model_parallel_groups

if TYPE_CHECKING:
    from prism.recipe import ClusterConfig, ModelConfig


@dataclass(frozen=True)
class StageSize:
    """One pipeline stage. Counts of one rank, except `whole`: parameters of the stage, not padded, tied ones once.

    `tied` counts the copy of the embedding that the last stage of a pipeline holds; `padding` the rows that fill up
    the vocabulary on this rank.
    """

    layers: int
    parameters: int
    padding: int
    tied: int
    whole: int


@dataclass(frozen=True)
class TrueSize:
    stages: tuple[StageSize, ...]

    @property
    def parameters(self) -> int:
        """Of the model: no padding, no copies."""
        return sum(stage.whole for stage in self.stages)


def check_size(model: ModelConfig, cluster: ClusterConfig, world: int) -> TrueSize:
    """Builds every pipeline rank of `model` in a world of `world` processes.

    Raises:
        RecipeError: the model states no vocabulary, or doesn't fit the layout.
        UsageError: the world can't hold the layout.
    """
    if model.vocab_size is None:
        raise RecipeError("the vocabulary isn't stated", place="model.vocab_size", remedy="give the number of tokens")
    layout = layout_of(cluster)
    size = layout.model_parallel
    if world % size:
        raise UsageError(
            f"{world} processes can't hold TP {layout.tensor} x PP {layout.pipeline} x CP {layout.context} = {size}",
            place="--world",
            remedy=f"use a multiple of {size}",
        )
    return TrueSize(tuple(_stage(model, layout, world, rank) for rank in range(layout.pipeline)))


def _stage(model: ModelConfig, layout: Layout, world: int, pipeline_rank: int) -> StageSize:
    vocab_size = model.vocab_size or 0
    # The last tensor-parallel rank of the stage: it holds the padding.
    rank = pipeline_rank * (world // layout.pipeline) + layout.tensor - 1
    with as_rank(rank, world, layout), FakeTensorMode():
        config = transformer_config(model, layout, "bf16")
        chunks = [construct(config, model, vocab_size, number) for number in range(layout.virtual)]
        missing = padded_vocabulary(vocab_size, layout.tensor) - vocab_size
        parameters = tied = padding = whole = 0
        for name, parameter in (named for chunk in chunks for named in chunk.named_parameters()):
            count = parameter.numel()
            parameters += count
            if name == "output_layer.weight" and model.tie_embeddings:
                tied += count
                continue
            ranks = layout.tensor if getattr(parameter, "tensor_model_parallel", False) else 1
            whole += count * ranks
            if name in ("embedding.word_embeddings.weight", "output_layer.weight"):
                whole -= missing * model.hidden_size
                padding += min(missing, parameter.shape[0]) * model.hidden_size
        layers = sum(len(chunk.decoder.layers) for chunk in chunks)
        return StageSize(layers, parameters, padding, tied, whole)


@contextmanager
def as_rank(rank: int, world: int, layout: Layout) -> Iterator[None]:
    """Makes this process believe that it is `rank` of `world`; nothing is sent to anyone."""
    store: Any = FakeStore()
    dist.init_process_group("fake", rank=rank, world_size=world, store=store)
    try:
        with model_parallel_groups(layout, seed=0, gloo=False):
            yield
    finally:
        dist.destroy_process_group()
