"""What a training stage takes of each rank's memory, part by part.

| part | bytes |
|---|---|
| weights | 2 a parameter in bf16 and fp8, 4 in fp32 |
| gradients | 4 a trained parameter |
| optimizer | 8 of moments, 4 more of wide weights in bf16, split over data-parallel ranks where it is distributed |
| activations | what the micro batches in flight keep, and the worst moment of a layer's backward pass |
| logits | what the loss adds to that |
| buffers | NCCL's, for each process group of more than one rank |
| overhead | CUDA's context, and what the allocator rounds up |

Activations and logits come from the census of the real model (`prism.megatron.census`), the micro batches in flight
from the pipeline's order of passes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from prism.megatron.census import Census, Kernels, Question, layer_kinds, take
from prism.plan.devices import Overhead
from prism.plan.schedule import passes
from prism.recipe import ClusterConfig, ModelConfig
from prism.recipe.layouts import replica_size
from prism.recipe.schema.training import MidtrainConfig

GIB = 2**30
_NO_OVERHEAD = Overhead(context_gib=0, group_gib=0, slack=0)


@dataclass(frozen=True)
class Memory:
    """Bytes of one rank."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    buffers: float
    overhead: float

    @property
    def total(self) -> float:
        return float(sum(asdict(self).values()))


@dataclass(frozen=True)
class Rank:
    """A pipeline rank. parameters: on it, padding and copies counted; trained: those that have gradients."""

    number: int
    layers: int
    parameters: int
    trained: int
    memory: Memory


@dataclass(frozen=True)
class Work:
    """What a stage of the recipe asks of its cluster. A micro batch is `micro_batch_size` sequences of `length`."""

    model: ModelConfig
    vocab_size: int
    cluster: ClusterConfig
    micro_batch_size: int
    length: int
    micro_batches: int
    precision: str
    trainable: str = "all"
    kernels: Kernels = "gpu"


def training_work(
    model: ModelConfig, vocab_size: int, cluster: ClusterConfig, config: MidtrainConfig, kernels: Kernels = "gpu"
) -> Work:
    """Of a training stage; its batches fit the layout (the recipe's checks see to it)."""
    replicas = max(1, cluster.processes // replica_size(cluster))
    return Work(
        model,
        vocab_size,
        cluster,
        config.micro_batch_size,
        config.sequence_length,
        max(1, config.global_batch_size // (config.micro_batch_size * replicas)),
        config.precision,
        config.trainable,
        kernels,
    )


def census_of(work: Work, recompute: str | None = None) -> Census:
    """Args: recompute: in place of the cluster's own."""
    cluster = work.cluster
    return take(
        Question(
            work.model,
            work.vocab_size,
            cluster.tensor_parallel,
            cluster.context_parallel,
            cluster.sequence_parallel,
            recompute or cluster.recompute,
            cluster.loss_chunk_tokens,
            work.micro_batch_size,
            work.length,
            work.precision,
            work.trainable,
            work.kernels,
        )
    )


def ranks(work: Work, overhead: Overhead = _NO_OVERHEAD) -> list[Rank]:
    """Every pipeline rank of a replica."""
    stages = work.cluster.pipeline_parallel
    return [_rank(work, number, overhead) for number in range(stages)]


def worst(found: Sequence[Rank]) -> Rank:
    return max(found, key=lambda rank: rank.memory.total)


@dataclass(frozen=True)
class Chunk:
    """A rank's chunk of layers; whether it holds the model's first and last layer."""

    layers: Counter[str]
    first: bool
    last: bool

    @property
    def count(self) -> int:
        return sum(self.layers.values())


@dataclass(frozen=True)
class _Activations:
    """Bytes of a micro batch in a chunk. All but `kept` count from what is live once the forward pass is done.

    layers: at the worst moment of the layers' backward pass.  loss: at the loss's; minus infinity without one.
    """

    kept: float
    layers: float
    loss: float


def chunks_of(work: Work, rank: int) -> list[Chunk]:
    """A pipeline rank's chunks, in their order along the pipeline."""
    kinds = layer_kinds(work.model)
    stages, virtual = work.cluster.pipeline_parallel, work.cluster.virtual_pipeline
    size = len(kinds) // (stages * virtual)
    found = []
    for chunk in range(virtual):
        place = chunk * stages + rank
        layers = Counter(kinds[place * size : (place + 1) * size])
        found.append(Chunk(layers, place == 0, place == stages * virtual - 1))
    return found


def _rank(work: Work, number: int, overhead: Overhead) -> Rank:
    census, chunks = census_of(work), chunks_of(work, number)
    parameters, trained = _parameters(work, census, chunks)
    cluster, narrow = work.cluster, work.precision != "fp32"
    replicas = max(1, cluster.processes // (cluster.tensor_parallel * cluster.pipeline_parallel))
    split = replicas if cluster.distributed_optimizer else 1
    activations, logits = _activations(work, census, chunks, number)
    sizes = (cluster.tensor_parallel, cluster.pipeline_parallel, cluster.context_parallel, replicas)
    groups = sum(size > 1 for size in sizes)
    memory = Memory(
        weights=(2 if narrow else 4) * parameters,
        gradients=4 * trained,
        optimizer=(12 if narrow else 8) * trained / split * (1 - cluster.offload_optimizer),
        activations=activations,
        logits=logits,
        buffers=groups * overhead.group_gib * GIB,
        overhead=overhead.context_gib * GIB + overhead.slack * (activations + logits),
    )
    return Rank(number, sum(chunk.count for chunk in chunks), parameters, trained, memory)


def _parameters(work: Work, census: Census, chunks: Sequence[Chunk]) -> tuple[int, int]:
    parameters = trained = 0
    for chunk in chunks:
        for kind, count in chunk.layers.items():
            parameters += count * census.layers[kind].parameters
            trained += count * census.layers[kind].trained
        own = census.embedding if chunk.first else 0
        if chunk.last:
            own += census.norm + (0 if work.model.tie_embeddings and chunk.first else census.output)
        parameters += own
        trained += own if work.trainable == "all" else 0
    return parameters, trained


def _activations(work: Work, census: Census, chunks: Sequence[Chunk], rank: int) -> tuple[float, float]:
    """Bytes of the layers at the peak, and what the loss adds."""
    cluster = work.cluster
    found = [_of_chunk(work, census, chunk) for chunk in chunks]
    layers_peak = peak = live = 0.0
    for one in passes(cluster.pipeline_parallel, cluster.virtual_pipeline, rank, work.micro_batches):
        chunk = found[one.chunk]
        if one.forward:
            live += chunk.kept
        layers_peak = max(layers_peak, live + chunk.layers)
        peak = max(peak, layers_peak, live + chunk.loss)
        if not one.forward:
            live -= chunk.kept
    return layers_peak, peak - layers_peak


def _of_chunk(work: Work, census: Census, chunk: Chunk) -> _Activations:
    """With `recompute_layers` the first layers of a chunk run again, when those after them are done."""
    ends = census.ends.kept if chunk.last else census.boundary
    done = census.ends_before_loss - census.ends.kept if chunk.last else 0
    loss = census.ends.transient if chunk.last else -math.inf
    transient = max(census.layers[kind].transient for kind in chunk.layers)
    kept = sum(number * census.layers[kind].kept for kind, number in chunk.layers.items())
    again = recomputed_share(work, chunk)
    if again == 1:
        return _Activations(kept + ends, done + transient, loss)
    bare = census_of(work, "none")
    plain = (1 - again) * sum(number * bare.layers[kind].kept for kind, number in chunk.layers.items())
    first = max(bare.layers[kind].transient for kind in chunk.layers)
    return _Activations(again * kept + plain + ends, done + max(first, transient - plain), loss)


def recomputed_share(work: Work, chunk: Chunk) -> float:
    """Of a chunk's layers, those that do what `cluster.recompute` says."""
    few = work.cluster.recompute_layers
    return 1.0 if few is None or work.cluster.recompute != "full" else min(1.0, few / chunk.count)
