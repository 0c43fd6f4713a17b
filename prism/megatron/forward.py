"""Forward passes without gradients: cached decoding, log-probabilities, hidden states."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from megatron.core import parallel_state
from torch import Tensor

from prism.errors import UsageError
from prism.megatron.checkpoint import unwrap
from prism.megatron.decode import DecodeContext


def require_whole_model(chunk: torch.nn.Module) -> None:
    """Raises UsageError when this rank holds only some of the layers or of the positions."""
    pipeline = parallel_state.get_pipeline_model_parallel_world_size()
    context = parallel_state.get_context_parallel_world_size()
    if pipeline > 1 or context > 1 or unwrap(chunk).config.sequence_parallel:
        raise UsageError(
            f"decoding under PP {pipeline}, CP {context} or sequence parallelism isn't there yet",
            place="cluster",
            remedy="set pipeline_parallel and context_parallel to 1 and sequence_parallel to false for this stage",
        )


@contextmanager
def evaluation_mode(chunk: torch.nn.Module) -> Iterator[Any]:
    """The bare model in eval mode, gradients off; its former mode comes back afterwards."""
    module = unwrap(chunk)
    training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            yield module
    finally:
        module.train(training)


def next_token_logits(module: Any, tokens: Tensor, context: DecodeContext) -> Tensor:
    """Feeds `tokens` (batch, new) to the cached batch; returns logits of the next token, (batch, vocabulary)."""
    new = tokens.shape[1]
    context.begin(new)
    positions = torch.arange(context.position, context.position + new, device=tokens.device).expand_as(tokens)
    logits = module(tokens, positions, None, inference_context=context, runtime_gather_output=True)
    context.advance(new)
    last: Tensor = logits[:, -1].float()
    return last


def token_logprobs(module: torch.nn.Module, tokens: Tensor) -> Tensor:
    """Log-probability of every token given those before it: (batch, seq) -> (batch, seq - 1)."""
    return -negative_logprobs(module, tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())


def negative_logprobs(module: torch.nn.Module, tokens: Tensor, labels: Tensor) -> Tensor:
    """-log p(label) at every position: (batch, seq), (batch, seq) -> (batch, seq)."""
    positions = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    losses: Tensor = module(tokens, positions, None, labels=labels)
    return losses.float()


def mean_hidden_states(module: Any, tokens: Tensor, lengths: Tensor) -> Tensor:
    """Mean over positions of each layer's output: (batch, seq), (batch,) -> (layers, batch, hidden), float64."""
    batch, sequence = tokens.shape
    present = torch.arange(sequence, device=tokens.device)[None, :] < lengths[:, None]
    collected: list[Tensor] = []

    def collect(layer: torch.nn.Module, inputs: Any, output: Any) -> None:
        hidden = output[0] if isinstance(output, tuple) else output  # (seq, batch, hidden)
        summed = (hidden.double() * present.t()[:, :, None]).sum(0)
        collected.append(summed / lengths[:, None])

    hooks = [layer.register_forward_hook(collect) for layer in module.decoder.layers]
    try:
        positions = torch.arange(sequence, device=tokens.device).expand(batch, sequence)
        module(tokens, positions, None)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(collected)
