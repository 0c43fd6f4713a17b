"""Forward passes without gradients, on any pipeline: cached decoding, log-probabilities, hidden states.

All ranks of a pipeline call these together and get the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.packed_seq_params import PackedSeqParams
from torch import Tensor

from prism.errors import UsageError
from prism.megatron.checkpoint.description import innermost
from prism.megatron.decode import DecodeContext
from prism.megatron.decode_step import decode_token
from prism.megatron.packing import packed_documents


def require_decodable(chunk: torch.nn.Module) -> None:
    """Raises UsageError when this rank holds only some of the positions."""
    context = parallel_state.get_context_parallel_world_size()
    if context > 1 or _config(chunk).sequence_parallel:
        raise UsageError(
            f"decoding under CP {context} or sequence parallelism isn't there yet",
            place="cluster",
            remedy="set context_parallel to 1 and sequence_parallel to false for this stage (its `cluster` key)",
        )


@contextmanager
def evaluation_mode(chunk: torch.nn.Module) -> Iterator[Any]:
    """The bare model in eval mode, gradients off; its former mode comes back afterwards."""
    module = innermost(chunk)
    training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            yield module
    finally:
        module.train(training)


def prompt_logits(
    module: Any,
    context: DecodeContext,
    tokens: Tensor,
    lengths: Sequence[int],
    slots: Sequence[int],
    sources: Sequence[int],
) -> Tensor:
    """Puts prompts into free slots; returns logits of each slot's next token, (slots, vocabulary).

    Args:
        tokens: (prompts, width), padded on the right; `lengths` says where each ends.
        sources: which prompt each slot takes.
    """
    context.begin_prompts(lengths, slots, sources)
    hook = None
    if hasattr(module, "output_layer"):
        hook = module.output_layer.register_forward_pre_hook(
            lambda layer, inputs: (context.last_positions(inputs[0]), *inputs[1:])
        )
    try:
        logits = _through_stages(
            module, tokens, _positions(tokens), inference_context=context, runtime_gather_output=True
        )
    finally:
        if hook is not None:
            hook.remove()
    context.end_prompts()
    return logits[context.sources, -1]


def next_token_logits(module: Any, context: DecodeContext, tokens: Tensor) -> Tensor:
    """Feeds a token to every slot, (slots,); returns logits of the next, (slots, vocabulary)."""
    context.begin_token()
    logits = _along_stages(
        module,
        (1, len(tokens)),
        tokens.device,
        lambda hidden: decode_token(module, tokens, context, hidden),
    )
    context.end_token()
    return logits[0]


def all_logits(module: Any, tokens: Tensor, packed: PackedSeqParams | None = None) -> Tensor:
    """Logits at every position, without caches: (batch, seq) -> (batch, seq, vocabulary)."""
    return _through_stages(module, tokens, _positions(tokens), runtime_gather_output=True, packed_seq_params=packed)


def token_logprobs(module: torch.nn.Module, tokens: Tensor) -> Tensor:
    """Log-probability of every token given those before it: (batch, seq) -> (batch, seq - 1)."""
    return -negative_logprobs(module, tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())


def negative_logprobs(
    module: torch.nn.Module, tokens: Tensor, labels: Tensor, ends: Sequence[int] | None = None
) -> Tensor:
    """-log p(label) at every position: (batch, seq), (batch, seq) -> (batch, seq).

    Args: ends: of one row of several documents, where each ends; they don't see each other.
    """
    packed = None if ends is None else packed_documents(ends, tokens.device)
    return _through_stages(module, tokens, _positions(tokens), labels=labels, packed_seq_params=packed)


def continuation_scores(module: Any, tokens: Tensor, rows: Tensor, positions: Tensor, labels: Tensor) -> Tensor:
    """What the model thinks of labels, at chosen positions only: the rest of the logits is never made.

    Shapes: tokens (batch, seq), padded on the right; rows (asked,); positions and labels (asked, width) ->
    (asked, width, 2): log p(label) after the position, and 1 where no token is more likely.

    Args: rows: which row of `tokens` each of the asked reads; several may read the same.
    """
    last = parallel_state.is_pipeline_last_stage()

    def run(hidden: Tensor | None) -> Tensor:
        if hidden is not None:
            module.set_input_tensor([hidden])
        output: Tensor = module(tokens, _positions(tokens), None, runtime_gather_output=True)
        if not last:
            return output
        logprobs = torch.log_softmax(output.float(), -1)
        likely = output.argmax(-1) == labels
        return torch.stack([logprobs.gather(-1, labels[..., None]).squeeze(-1), likely.float()], -1)

    hook = None
    if last:
        hook = module.output_layer.register_forward_pre_hook(
            lambda layer, inputs: (inputs[0][positions.t(), rows[None, :]], *inputs[1:])
        )
    try:
        return _along_stages(module, (tokens.shape[1], len(tokens)), tokens.device, run)
    finally:
        if hook is not None:
            hook.remove()


def mean_hidden_states(module: Any, tokens: Tensor, lengths: Tensor) -> Tensor:
    """Mean over positions of each layer's output: (batch, seq), (batch,) -> (layers, batch, hidden), float64."""
    present = torch.arange(tokens.shape[1], device=tokens.device)[None, :] < lengths[:, None]
    collected: list[Tensor] = []

    def collect(layer: torch.nn.Module, inputs: Any, output: Any) -> None:
        hidden = output[0] if isinstance(output, tuple) else output  # (seq, batch, hidden)
        summed = (hidden * present.t()[:, :, None]).sum(0, dtype=torch.float64)
        collected.append(summed / lengths[:, None])

    hooks = [layer.register_forward_hook(collect) for layer in module.decoder.layers]
    if hasattr(module, "output_layer"):  # nobody asks for the logits: those of one position are the fewest
        hooks.append(module.output_layer.register_forward_pre_hook(lambda layer, inputs: (inputs[0][:1], *inputs[1:])))
    try:
        _through_stages(module, tokens, _positions(tokens))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(_from_every_stage(torch.stack(collected)))


def _positions(tokens: Tensor) -> Tensor:
    return torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)


def _config(module: Any) -> Any:
    return innermost(module).config


def _through_stages(module: Any, tokens: Tensor, positions: Tensor, **arguments: Any) -> Tensor:
    """One forward pass through all pipeline stages; every stage gets the last one's output, float32."""

    def run(hidden: Tensor | None) -> Tensor:
        if hidden is not None:
            module.set_input_tensor([hidden])
        output: Tensor = module(tokens, positions, None, **arguments)
        return output

    return _along_stages(module, (tokens.shape[1], len(tokens)), tokens.device, run)


def _along_stages(
    module: Any, lead: tuple[int, int], device: torch.device, run: Callable[[Tensor | None], Tensor]
) -> Tensor:
    """Runs every pipeline stage on the output of the one before; every stage gets the last one's output, float32.

    Args:
        lead: (positions, sequences) of what stages hand on, (positions, sequences, hidden).
        run: this stage; gets None on the first.
    """
    if parallel_state.get_pipeline_model_parallel_world_size() == 1:
        return run(None).float()
    group = parallel_state.get_pipeline_model_parallel_group()
    first, last = parallel_state.is_pipeline_first_stage(), parallel_state.is_pipeline_last_stage()
    hidden = None
    if not first:
        config = _config(module)
        hidden = torch.empty(*lead, config.hidden_size, dtype=config.params_dtype, device=device)
        dist.recv(hidden, parallel_state.get_pipeline_model_parallel_prev_rank(), group)
    output = run(hidden)
    if not last:
        dist.send(output.contiguous(), parallel_state.get_pipeline_model_parallel_next_rank(), group)
    return _from_last_stage(output.float() if last else None, group, device)


def _from_last_stage(output: Tensor | None, group: Any, device: torch.device) -> Tensor:
    """The last stage's tensor on every stage; its shape goes first, since only the last stage knows it."""
    source = parallel_state.get_pipeline_model_parallel_last_rank()
    shape = torch.zeros(3, dtype=torch.long, device=device)
    if output is not None:
        shape[: output.ndim] = torch.tensor(output.shape)
    dist.broadcast(shape, source, group)
    if output is None:
        output = torch.empty([int(size) for size in shape if size], device=device)
    output = output.contiguous()
    dist.broadcast(output, source, group)
    return output


def _from_every_stage(own: Tensor) -> list[Tensor]:
    """Each pipeline stage's tensor, first stage first; they may differ in their first size."""
    stages = parallel_state.get_pipeline_model_parallel_world_size()
    if stages == 1:
        return [own]
    parts: list[Any] = [None] * stages
    dist.all_gather_object(parts, own.cpu(), parallel_state.get_pipeline_model_parallel_group())
    return [part.to(own.device) for part in parts]
