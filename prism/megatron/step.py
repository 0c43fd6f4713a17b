"""One optimizer step over a global batch, through megatron-core's pipeline schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.distributed.finalize_model_grads import finalize_model_grads
from megatron.core.pipeline_parallel import get_forward_backward_func
from torch import Tensor

from prism.errors import UsageError
from prism.megatron.backend import backend
from prism.megatron.context_parallel import gather_sequence, own_part
from prism.megatron.optimizer import clipped_step, set_learning_rate
from prism.megatron.optimizer_state import EngineOptimizer
from prism.megatron.packing import packed_documents
from prism.megatron.parallel import share_from_last_stage


class MicroBatch(Protocol):
    """What the engine needs of a micro batch. Shapes: (sequences, sequence length), int64."""

    @property
    def tokens(self) -> Tensor: ...
    @property
    def labels(self) -> Tensor: ...

    @property
    def ends(self) -> Sequence[int] | None:
        """Of a micro batch of one sequence: where its documents end, which then don't see each other."""


Batch = TypeVar("Batch", bound=MicroBatch)

Loss = Callable[[Tensor, Batch], tuple[Tensor, dict[str, Tensor]]]
"""(negative log-probabilities of the labels (sequences, length), micro batch) -> (scalar loss, sums to report).

The gradients of the scalar losses are averaged over micro batches and over data-parallel ranks.
"""


@dataclass(frozen=True)
class StepResult:
    """`sums` adds up what the loss reported over this rank's micro batches (the same on every pipeline stage).

    skipped: loss or grad norm wasn't finite, so weights and moments are those of before; the same on every rank.
    """

    grad_norm: float
    sums: Mapping[str, Tensor]
    skipped: bool = False


def forward_backward(
    chunks: Sequence[torch.nn.Module],
    batches: Sequence[Batch],
    loss: Loss[Batch],
    *,
    report: Sequence[str],
    forward_only: bool,
) -> dict[str, Tensor]:
    """Runs the micro batches through the pipeline; returns the sums named in `report`, float64 scalars or vectors.

    Args:
        chunks: this rank's model chunks, in their order along the pipeline.
    """
    first, rounds = batches[0], parallel_state.get_pipeline_model_parallel_world_size() if len(chunks) > 1 else 1
    if len(batches) % rounds and not forward_only:
        raise UsageError(
            f"{len(batches)} micro batches aren't a multiple of {rounds} pipeline stages, as an interleaved one needs",
            place="cluster.virtual_pipeline",
            remedy="set it to 1, or change the global batch",
        )
    run = [*batches, *[first] * (-len(batches) % rounds)]  # what fills up the last round isn't reported

    def forward_step(data: Iterator[Batch], model: torch.nn.Module) -> tuple[Tensor, Any]:
        batch = next(data)
        sequences, length = batch.tokens.shape
        positions = torch.arange(length, device=batch.tokens.device).expand(sequences, length)
        tokens, positions, labels = (own_part(whole, 1) for whole in (batch.tokens, positions, batch.labels))
        packed = None if batch.ends is None else packed_documents(batch.ends, tokens.device)
        output = model(tokens, positions, None, labels=labels, packed_seq_params=packed)

        def reduce(token_losses: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            value, sums = loss(gather_sequence(token_losses, 1, shared_loss=True), batch)
            # A tensor of its own: the schedule scales it in place. A loss that isn't finite makes all gradients NaN.
            return value * torch.where(value.detach().isfinite(), 1.0, float("nan")), sums

        return output, reduce

    reports = get_forward_backward_func()(
        forward_step_func=forward_step,
        data_iterator=[iter(run) for _ in chunks] if len(chunks) > 1 else iter(run),
        model=list(chunks) if len(chunks) > 1 else chunks[0],
        num_microbatches=len(run),
        seq_length=first.tokens.shape[1],
        micro_batch_size=first.tokens.shape[0],
        forward_only=forward_only,
    )
    sums = {}
    for name in report:
        values = [entry[name].detach().double() for entry in reports[: len(batches)]]
        sums[name] = torch.stack(values).sum(0) if values else torch.zeros((), dtype=torch.float64)
    if parallel_state.get_pipeline_model_parallel_world_size() > 1:
        sums = {name: _share(value) for name, value in sums.items()}
    return sums


def _share(value: Tensor) -> Tensor:
    """The last stage's value on every stage; its size goes first, since only the last stage knows it."""
    device = backend().device
    size = share_from_last_stage(torch.tensor([value.numel() if value.ndim else 0], device=device))
    length = int(size.item())
    if not parallel_state.is_pipeline_last_stage():
        value = torch.zeros([length] if length else [], dtype=torch.float64, device=device)
    return share_from_last_stage(value.contiguous().to(device))


def train_step(
    chunks: Sequence[Any],
    optimizer: EngineOptimizer,
    batches: Sequence[Batch],
    loss: Loss[Batch],
    *,
    learning_rate: float,
    weight_decay: float,
    report: Sequence[str],
) -> StepResult:
    """Forward and backward over the micro batches, gradient reduction, clipping, AdamW.

    Args:
        chunks: this rank's model chunks in their data-parallel wrappers.
    """
    for chunk in chunks:
        chunk.zero_grad_buffer()
    optimizer.zero_grad()
    set_learning_rate(optimizer, learning_rate, weight_decay)
    sums = forward_backward(chunks, batches, loss, report=report, forward_only=False)
    finalize_model_grads(list(chunks))
    _reduce_replicated_gradients(chunks)
    grad_norm, taken = clipped_step(optimizer)
    return StepResult(grad_norm, sums, skipped=not taken)


def _reduce_replicated_gradients(chunks: Sequence[torch.nn.Module]) -> None:
    """Adds up, over tensor-parallel ranks, gradients of parameters that every rank holds and uses in part.

    Such parameters are marked `allreduce_over_tensor_parallel` (a single Mamba group's B and C rows).
    """
    if parallel_state.get_tensor_model_parallel_world_size() == 1:
        return
    group = parallel_state.get_tensor_model_parallel_group()
    for chunk in chunks:
        for parameter in chunk.parameters():
            if parameter.requires_grad and getattr(parameter, "allreduce_over_tensor_parallel", False):
                dist.all_reduce(parameter.main_grad, group=group)  # type: ignore[attr-defined]
