"""Cross entropy over a vocabulary-parallel output layer without all logits in memory at once.

The logits of 128k positions by 100k tokens are 52 GB in fp32. Here those of a few thousand positions exist at a time,
in the forward pass and again in the backward pass, which computes them anew. Each tensor-parallel rank sums up its own
tokens; ranks then exchange two numbers a position, once for all positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.tensor_parallel.mappings import (
    copy_to_tensor_model_parallel_region,
    gather_from_sequence_parallel_region,
)
from torch import Tensor

from prism.megatron.multipliers import LogitsRule


class LossInChunks:
    """Mixed into a model of megatron-core: labels of more than `loss_chunk` positions go through `token_losses`."""

    loss_chunk: int | None = None
    logits_rule: LogitsRule
    post_process: bool

    def forward(self, *args: Any, labels: Tensor | None = None, **kwargs: Any) -> Tensor:
        """As megatron-core's: losses (batch, seq) where labels are given, else logits (batch, seq, vocabulary)."""
        model: Any = self
        parent: Any = super()
        if labels is None or not self.post_process or self.loss_chunk is None or labels.numel() <= self.loss_chunk:
            output: Tensor = parent.forward(*args, labels=labels, **kwargs)
            return output
        self.post_process = False  # megatron-core then returns what would go into the output layer
        try:
            hidden = parent.forward(*args, **kwargs)
        finally:
            self.post_process = True
        tied = model.share_embeddings_and_output_weights
        weight = model.shared_embedding_or_output_weight() if tied else model.output_layer.weight
        return token_losses(
            hidden, weight, labels, self.logits_rule, self.loss_chunk, sequence_parallel=model.config.sequence_parallel
        )


def token_losses(
    hidden: Tensor, weight: Tensor, labels: Tensor, rule: LogitsRule, chunk: int, *, sequence_parallel: bool
) -> Tensor:
    """-log p(label) at every position, fp32: (seq, batch, hidden), (rows, hidden), (batch, seq) -> (batch, seq).

    Args:
        hidden: under sequence parallelism seq is this rank's part.
        weight: this rank's rows of the output layer.
        chunk: positions whose logits exist at once.
    """
    group = parallel_state.get_tensor_model_parallel_group()
    # Each rank's tokens give a part of the gradient of `hidden`; both mappings add the parts up.
    if sequence_parallel:
        whole = gather_from_sequence_parallel_region(hidden, group=group)
    else:
        whole = copy_to_tensor_model_parallel_region(hidden, group=group)
    sequence, batch, width = whole.shape
    flat: Tensor = _Losses.apply(whole.reshape(-1, width), weight, labels.t().reshape(-1), rule, chunk)  # type: ignore[no-untyped-call]
    return flat.view(sequence, batch).t().contiguous()


class _Losses(torch.autograd.Function):
    """Shapes: hidden (positions, width), weight (rows, width), labels (positions,) -> (positions,)."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, rule: LogitsRule, chunk: int) -> Tensor:
        tokens = weight[: rule.own_tokens(len(weight))]
        own, places = _own_labels(labels, len(weight), len(tokens))
        log_sums = hidden.new_full((len(hidden),), float("-inf"), dtype=torch.float32)
        of_labels = torch.zeros_like(log_sums)
        for part in _parts(len(hidden), chunk) if len(tokens) else ():
            logits = _logits(hidden[part], tokens, rule)
            of_labels[part] = logits.gather(1, places[part, None]).squeeze(1) * own[part]
            peak = logits.amax(1)
            log_sums[part] = logits.sub_(peak[:, None]).exp_().sum(1).log_().add_(peak)
        log_sums = _combine(log_sums, of_labels)
        ctx.save_for_backward(hidden, weight, labels, log_sums)
        ctx.rule, ctx.chunk = rule, chunk
        return log_sums - of_labels

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        hidden, weight, labels, log_sums = ctx.saved_tensors
        tokens = weight[: ctx.rule.own_tokens(len(weight))]
        own, places = _own_labels(labels, len(weight), len(tokens))
        scale = gradients[0].float() / ctx.rule.scaling
        for_hidden, for_weight = ctx.needs_input_grad[:2]
        d_hidden = torch.zeros_like(hidden) if for_hidden else None
        d_weight = torch.zeros_like(weight, dtype=torch.float32) if for_weight else None
        for part in _parts(len(hidden), ctx.chunk) if len(tokens) else ():
            share = _logits(hidden[part], tokens, ctx.rule).sub_(log_sums[part, None]).exp_()
            share.scatter_add_(1, places[part, None], -own[part, None])
            share = share.mul_(scale[part, None]).to(hidden.dtype)
            if d_hidden is not None:
                torch.mm(share, tokens, out=d_hidden[part])
            if d_weight is not None and hidden.dtype == torch.float32:
                d_weight[: len(tokens)].addmm_(share.t(), hidden[part])
            elif d_weight is not None:
                d_weight[: len(tokens)] += share.t() @ hidden[part]
        return d_hidden, None if d_weight is None else d_weight.to(weight.dtype), None, None, None


def _parts(positions: int, chunk: int) -> Iterator[slice]:
    for start in range(0, positions, chunk):
        yield slice(start, min(start + chunk, positions))


def _logits(hidden: Tensor, tokens: Tensor, rule: LogitsRule) -> Tensor:
    """(positions, tokens), fp32, memory of its own."""
    logits = (hidden @ tokens.t()).float()
    return logits if rule.scaling == 1.0 else logits.div_(rule.scaling)


def _own_labels(labels: Tensor, rows: int, tokens: int) -> tuple[Tensor, Tensor]:
    """Which labels are among this rank's tokens, 1.0 or 0.0, and each one's row (0 where it isn't): (positions,)."""
    places = labels - rows * parallel_state.get_tensor_model_parallel_rank()
    own = (places >= 0) & (places < tokens)
    return own.float(), places.where(own, 0)


def _combine(log_sums: Tensor, of_labels: Tensor) -> Tensor:
    """The ranks' sums of exponentials as one logarithm; adds up `of_labels`, of which one rank knows each, in place."""
    group = parallel_state.get_tensor_model_parallel_group()
    if group.size() == 1:
        return log_sums
    peak = log_sums.clone()
    dist.all_reduce(peak, op=dist.ReduceOp.MAX, group=group)
    both = torch.stack([(log_sums - peak).exp(), of_labels])
    dist.all_reduce(both, group=group)
    of_labels.copy_(both[1])
    return both[0].log_().add_(peak)
