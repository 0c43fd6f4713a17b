"""How long a training step takes, from the census's kernels and messages on a stated device: a roofline.

A kernel takes what its arithmetic or its bytes take at the device's efficiency, whichever is more, and no less than a
launch. A step is

    micro batches x the slowest pipeline stage x (1 + idle share) + gradients' messages that aren't hidden + optimizer

Messages of tensor- and context-parallel groups go over links inside a node, over the network where a group spans nodes.
Loading data, checkpoints, validation and failures aren't counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from prism.megatron.census import Part
from prism.megatron.census_record import WorkList
from prism.plan.devices import Device, Efficiency
from prism.plan.memory import Chunk, Work, census_of, chunks_of, ranks, recomputed_share
from prism.plan.schedule import idle_share
from prism.recipe.layouts import replica_size
from prism.train.flops import pairs_seen, token_flops

_OPTIMIZER_BYTES = 30
"""Read and written of a parameter: gradient, wide weight, two moments, the model's weight."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of a step. compute: kernels of the slowest stage; messages: what isn't behind them; idle: the pipeline's.

    mfu: model FLOPs over the devices' bf16 peak.
    """

    compute_s: float
    messages_s: float
    idle_s: float
    optimizer_s: float
    tokens: int
    mfu: float
    tokens_per_device_s: float

    @property
    def total_s(self) -> float:
        return self.compute_s + self.messages_s + self.idle_s + self.optimizer_s


@dataclass(frozen=True)
class _Seconds:
    kernels: float = 0.0
    messages: float = 0.0

    def __add__(self, other: _Seconds) -> _Seconds:
        return _Seconds(self.kernels + other.kernels, self.messages + other.messages)

    def __mul__(self, count: float) -> _Seconds:
        return _Seconds(self.kernels * count, self.messages * count)


def step_time(work: Work, device: Device, efficiency: Efficiency) -> StepTime:
    """Of an optimizer step."""
    cluster = work.cluster
    layouts = [chunks_of(work, rank) for rank in range(cluster.pipeline_parallel)]
    unlike = {repr(chunks): chunks for chunks in layouts}.values()
    stages = [_of_stage(work, chunks, device, efficiency) for chunks in unlike]
    slowest = max(stages, key=lambda one: one.kernels + one.messages)
    busy = slowest * work.micro_batches
    idle = (busy.kernels + busy.messages) * idle_share(
        cluster.pipeline_parallel, cluster.virtual_pipeline, work.micro_batches
    )
    replicas = max(1, cluster.processes // replica_size(cluster))
    tokens = work.micro_batches * work.micro_batch_size * work.length * replicas
    gradients, optimizer = _update(work, device, efficiency)
    total = busy.kernels + busy.messages + idle + gradients + optimizer
    flops = token_flops(work.model, work.vocab_size, work.length).training(
        pairs_seen(work.length, work.model.sliding_window), attention_only=work.trainable == "attention"
    )
    rate = tokens / total / cluster.processes
    peak = device.flops.get("bf16", device.flops["fp32"])
    return StepTime(
        compute_s=busy.kernels,
        messages_s=busy.messages + gradients,
        idle_s=idle,
        optimizer_s=optimizer,
        tokens=tokens,
        mfu=flops * rate / peak,
        tokens_per_device_s=rate,
    )


def forward_s(work: Work, device: Device, efficiency: Efficiency) -> float:
    """Seconds that a replica's micro batch takes forward alone, all pipeline stages one after the other."""
    total = _Seconds()
    for rank in range(work.cluster.pipeline_parallel):
        total += _of_stage(work, chunks_of(work, rank), device, efficiency, backward=False)
    return total.kernels + total.messages


def _of_stage(
    work: Work, chunks: list[Chunk], device: Device, efficiency: Efficiency, *, backward: bool = True
) -> _Seconds:
    """A micro batch's passes through a rank's chunks."""
    census, cluster = census_of(work), work.cluster
    total = _Seconds()
    for chunk in chunks:
        share = recomputed_share(work, chunk)
        bare = census if share == 1 else census_of(work, "none")
        for kind, number in chunk.layers.items():
            for found, part in ((census, share), (bare, 1 - share)):
                if part:
                    layer = _of_part(found.layers[kind], work, device, efficiency, backward)
                    total += layer * (number * part)
        if chunk.last:  # the embedding is next to nothing
            total += _of_part(census.ends, work, device, efficiency, backward, precision="bf16")
        if cluster.pipeline_parallel > 1:
            span = cluster.tensor_parallel * cluster.context_parallel * cluster.pipeline_parallel
            sent = census.boundary / _bytes_s(span, work, device, efficiency)
            total += _Seconds(messages=sent * (2 if backward else 1))
    return total


def _of_part(
    part: Part, work: Work, device: Device, efficiency: Efficiency, backward: bool, precision: str | None = None
) -> _Seconds:
    found = seconds(part.forward, work, device, efficiency, precision or work.precision)
    if backward:
        found += seconds(part.backward, work, device, efficiency, precision or work.precision)
    return found


def seconds(done: WorkList, work: Work, device: Device, efficiency: Efficiency, precision: str) -> _Seconds:
    """Kernels and messages of a part's pass."""
    half = device.flops.get("bf16", device.flops["fp32"])
    wide = device.flops["fp32"] if precision == "fp32" else half
    speed = {
        "matrix": device.flops["fp8"] * efficiency.matrix_fp8
        if precision == "fp8" and "fp8" in device.flops
        else wide * efficiency.matrix,
        "attention": wide * efficiency.attention,
        "scan": wide * efficiency.scan,
    }
    spans = {
        "tensor": work.cluster.tensor_parallel,
        "context": work.cluster.tensor_parallel * work.cluster.context_parallel,
    }
    total = _Seconds()
    for one, count in done.items():
        if one.kind in spans:
            sent = one.bytes_moved / _bytes_s(spans[one.kind], work, device, efficiency)
            shown = 1 - efficiency.hidden_tensor if one.kind == "tensor" else 1.0
            total += _Seconds(messages=sent * shown) * count
            continue
        moved = one.bytes_moved / (device.memory_bytes_s * efficiency.memory)
        kernel = max(one.flops / speed[one.kind] if one.flops else 0.0, moved, efficiency.kernel_s)
        total += _Seconds(kernels=kernel) * count
    return total


def _bytes_s(span: int, work: Work, device: Device, efficiency: Efficiency) -> float:
    """What a message gets in a group of ranks that spans so many neighbours."""
    if span <= work.cluster.devices_per_node:
        return device.link_bytes_s * efficiency.link
    return device.network_bytes_s * efficiency.network


def _update(work: Work, device: Device, efficiency: Efficiency) -> tuple[float, float]:
    """Seconds of the gradients' and weights' messages that aren't hidden, and of the optimizer."""
    cluster = work.cluster
    trained = max(rank.trained for rank in ranks(work))
    copies = max(1, cluster.processes // (cluster.tensor_parallel * cluster.pipeline_parallel))
    messages = 0.0
    if copies > 1:
        narrow = 4 if work.precision == "fp32" else 2
        sent = trained * (4 + (narrow if cluster.distributed_optimizer else 4)) * (copies - 1) / copies
        messages = sent / _bytes_s(cluster.processes, work, device, efficiency)
        messages *= 1 - efficiency.hidden_gradients if cluster.overlap_communication else 1
    split = copies if cluster.distributed_optimizer else 1
    own, away = trained / split * (1 - cluster.offload_optimizer), trained / split * cluster.offload_optimizer
    optimizer = own * _OPTIMIZER_BYTES / (device.memory_bytes_s * efficiency.memory)
    return messages, optimizer + away * 6 / device.host_bytes_s
