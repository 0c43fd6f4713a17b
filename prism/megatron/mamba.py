"""A Mamba-2 mixer on megatron-core's parallel linear layers, in torch on a CPU and fused on CUDA.

megatron-core's own mixer imports Triton. This one keeps its parameter names, its sharding and its checkpoint
keys, so either loads what the other saved:

| parameter | rows | over tensor-parallel ranks |
|---|---|---|
| in_proj.weight | z, x, B, C, dt | each of the five parts is cut |
| conv1d.weight, conv1d.bias | x, B, C | each of the three parts is cut |
| A_log, D, dt_bias | heads | cut |
| norm.weight | inner width | cut |
| out_proj.weight | columns: inner width | cut |

megatron-core refuses fewer groups than ranks. Here a single group is shared by all of them: B and C then live
in `in_proj_bc` and `conv1d_bc`, the same on every rank (in a checkpoint they still are parts of `in_proj` and
`conv1d`), and the gated norm averages its mean square over the ranks.

Contract for whoever runs the optimizer: a rank's gradient of such a shared parameter covers its own heads
only. The parameter is marked `allreduce_over_tensor_parallel = True`; its `main_grad` must be summed over the
tensor-parallel group after the backward pass and before the optimizer step. It isn't marked
`tensor_model_parallel`, so megatron-core counts it once in the grad norm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.process_groups_config import ProcessGroupCollection
from megatron.core.tensor_parallel.layers import set_tensor_model_parallel_attributes
from megatron.core.tensor_parallel.mappings import (
    copy_to_tensor_model_parallel_region,
    gather_from_sequence_parallel_region,
    reduce_from_tensor_model_parallel_region,
)
from megatron.core.transformer.module import MegatronModule
from megatron.core.transformer.transformer_config import TransformerConfig
from torch import Tensor
from torch.nn import Parameter

from prism.kernels.conv import conv_state
from prism.kernels.norm import gated_rms_norm
from prism.kernels.select import choose
from prism.kernels.ssd import time_steps
from prism.kernels.step import conv_step, state_step
from prism.megatron.decode import DecodeContext
from prism.megatron.linear import column_parallel, row_parallel
from prism.megatron.mamba_context import head_share
from prism.megatron.mamba_shape import MixerShape, mixer_shape
from prism.megatron.mamba_sharding import mixer_sharded_state_dict


@dataclass(frozen=True)
class MambaState:
    """What decoding remembers of one layer; `ssm` is updated in place, `conv` replaced.

    Shapes on this rank: conv (batch, channels, kernel - 1), the latest inputs of the convolution; ssm
    (batch, heads, head_dim, state), at least float32.
    """

    conv: Tensor
    ssm: Tensor


class _Weights(torch.nn.Module):
    """A weight and perhaps a bias under a name of their own."""

    def __init__(self, weight: Parameter, bias: Parameter | None = None) -> None:
        super().__init__()
        self.weight = weight
        self.bias = bias


class MambaMixer(MegatronModule):
    """Mamba-2 without its pre-norm and residual. Weights are set by `prism.megatron.initialise` or a checkpoint.

    Args:
        chunk_size: positions that the scan handles at once.
        conv_kernel: positions that the convolution sees.

    Raises:
        RecipeError: the layout doesn't fit the heads and groups.
    """

    def __init__(
        self,
        config: TransformerConfig,
        d_model: int,
        layer_number: int,
        pg_collection: ProcessGroupCollection,
        chunk_size: int,
        conv_kernel: int,
        pp_layer_offset: int = 0,
    ) -> None:
        super().__init__(config)
        self.layer_number = layer_number
        self.chunk_size = chunk_size
        self.tp_group = pg_collection.tp
        self.ranks = self.tp_group.size()
        self.shape = shape = mixer_shape(config, self.ranks)
        self.share = head_share(shape)
        self.epsilon = config.layernorm_epsilon

        dtype = config.params_dtype
        own_bc = 0 if shape.shares_group else shape.group_rows
        rows = 2 * shape.inner + own_bc + shape.heads
        self.in_proj = column_parallel(config, rows, d_model)(
            d_model,
            rows * self.ranks,
            config=config,
            init_method=config.init_method,
            bias=False,
            gather_output=False,
            skip_bias_add=False,
            is_expert=False,
            tp_group=self.tp_group,
        )
        self.conv1d = self._convolution(shape.inner + own_bc, conv_kernel, dtype)
        self.in_proj_bc: _Weights | None = None
        self.conv1d_bc: _Weights | None = None
        if shape.shares_group:
            self.in_proj_bc = _Weights(Parameter(torch.zeros(shape.group_rows, d_model, dtype=dtype)))
            self.conv1d_bc = self._convolution(shape.group_rows, conv_kernel, dtype)
        self.A_log = Parameter(torch.zeros(shape.heads))
        self.D = Parameter(torch.ones(shape.heads))
        self.dt_bias = Parameter(torch.zeros(shape.heads, dtype=dtype))
        self.norm = _Weights(Parameter(torch.ones(shape.inner, dtype=dtype)))
        self.out_proj = row_parallel(config, shape.inner, d_model)(
            shape.inner * self.ranks,
            d_model,
            config=config,
            init_method=config.output_layer_init_method,
            bias=False,
            input_is_parallel=True,
            skip_bias_add=True,
            is_expert=False,
            tp_group=self.tp_group,
        )
        self._mark_parameters()

    @staticmethod
    def _convolution(channels: int, kernel: int, dtype: torch.dtype) -> _Weights:
        weight, bias = torch.zeros(channels, 1, kernel, dtype=dtype), torch.zeros(channels, dtype=dtype)
        return _Weights(Parameter(weight), Parameter(bias))

    def _mark_parameters(self) -> None:
        cut = [self.A_log, self.D, self.dt_bias, *self.norm.parameters(), *self.conv1d.parameters()]
        for parameter in cut:
            set_tensor_model_parallel_attributes(parameter, is_parallel=True, dim=0, stride=1)
        for module in (self.in_proj_bc, self.conv1d_bc):
            for parameter in module.parameters() if module is not None else ():
                setattr(parameter, "allreduce_over_tensor_parallel", True)  # noqa: B010  a mark on a Parameter

    def forward(
        self,
        hidden_states: Tensor,
        inference_context: DecodeContext | None = None,
        seq_idx: Tensor | None = None,
        packed_seq_params: PackedSeqParams | None = None,
    ) -> tuple[Tensor, None]:
        """(seq, batch, hidden) -> ((seq, batch, hidden), no bias); under sequence parallelism seq is this rank's part.

        Args:
            inference_context: prompts enter its slots, with this layer's states.
            seq_idx: document number of each position, (batch, whole seq); no state crosses documents.
            packed_seq_params: another way to say so, for one row of documents end to end.
        """
        z, xbc, dt = self._project(hidden_states)
        if seq_idx is None and packed_seq_params is not None:
            seq_idx = _document_numbers(packed_seq_params, len(xbc) * self.share.size)
        xbc, dt = self.share.inward(xbc, dt)
        y = self._scan(xbc.transpose(0, 1), dt.transpose(0, 1), inference_context, seq_idx).transpose(0, 1)
        output, _bias = self.out_proj(self._gate(self.share.outward(y), z))
        return output, None

    def token(self, hidden: Tensor, context: DecodeContext) -> Tensor:
        """One token a slot, up to the output projection: (slots, hidden) -> (slots, inner); its state moves on."""
        z, xbc, dt = (part[0] for part in self._project(hidden[None]))
        state = context.mamba_states[self.layer_number]
        weight, bias = self._conv_weights()
        activated, conv = conv_step(xbc, weight, bias, state.conv)
        context.mamba_states[self.layer_number] = MambaState(conv, state.ssm)
        x, b, c = self._split_heads(activated, self.shape)
        y = state_step(x, time_steps(dt, self.dt_bias), self._rates(), b, c, self.D, state.ssm)
        return self._gate(y.flatten(-2), z)

    def _gate(self, y: Tensor, z: Tensor) -> Tensor:
        average = self._average_over_ranks if self.shape.shares_group else None
        return gated_rms_norm(y, z, self.norm.weight, groups=self.shape.groups, epsilon=self.epsilon, average=average)

    def _project(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z, the convolution's input x|B|C, and raw dt; each (whole seq, batch, width)."""
        shape = self.shape
        projected, _bias = self.in_proj(hidden)
        if self.in_proj_bc is None:
            z, xbc, dt = projected.split([shape.inner, shape.inner + shape.group_rows, shape.heads], -1)
            return z, xbc, dt
        z, x, dt = projected.split([shape.inner, shape.inner, shape.heads], -1)
        # Each rank's heads give a part of the gradient of `hidden`; both mappings add the parts up.
        if self.config.sequence_parallel:
            whole = gather_from_sequence_parallel_region(hidden, group=self.tp_group)
        else:
            whole = copy_to_tensor_model_parallel_region(hidden, group=self.tp_group)
        return z, torch.cat([x, F.linear(whole, self.in_proj_bc.weight)], -1), dt

    def _conv_weights(self) -> tuple[Tensor, Tensor]:
        """Weight (channels, kernel) and bias of the channels x|B|C on this rank."""
        parts = [self.conv1d] if self.conv1d_bc is None else [self.conv1d, self.conv1d_bc]
        weight = torch.cat([part.weight for part in parts])
        bias = torch.cat([part.bias for part in parts if part.bias is not None])
        return weight.squeeze(1), bias

    def _split_heads(self, xbc: Tensor, shape: MixerShape) -> tuple[Tensor, Tensor, Tensor]:
        """x (..., heads, head_dim), B and C (..., groups, state)."""
        x, b, c = xbc.split([shape.inner, shape.group_rows // 2, shape.group_rows // 2], -1)
        lead = xbc.shape[:-1]
        return (
            x.view(*lead, shape.heads, shape.head_dim),
            b.view(*lead, shape.groups, shape.state),
            c.view(*lead, shape.groups, shape.state),
        )

    def _rates(self) -> Tensor:
        return -self.A_log.float().exp()

    def _scan(self, xbc: Tensor, dt: Tensor, context: DecodeContext | None, seq_idx: Tensor | None) -> Tensor:
        """All positions at once: (batch, seq, channels), (batch, seq, heads) -> (batch, seq, inner)."""
        kernels, share, heads = choose(xbc.device, xbc.dtype), self.share, self.share.heads
        weight, bias = self._conv_weights()
        if share.size > 1:
            channels = share.channels.to(weight.device)
            weight, bias = weight[channels], bias[channels]
        keep = None if context is None else context.keep  # pads come after a prompt: only their steps could do harm
        x, b, c = self._split_heads(kernels.conv(xbc, weight, bias, seq_idx=seq_idx), share.shape)
        steps = time_steps(dt, self.dt_bias[heads], keep)
        scanned = kernels.scan(
            x,
            steps,
            self._rates()[heads],
            b,
            c,
            self.D[heads],
            chunk_size=self.chunk_size,
            seq_idx=seq_idx,
            with_state=context is not None,
        )
        if context is not None and scanned.state is not None:
            self._remember(context, conv_state(xbc, weight.shape[1], context.new_lengths), scanned.state)
        return scanned.y.flatten(-2)

    def _remember(self, context: DecodeContext, conv: Tensor, ssm: Tensor) -> None:
        """Puts the states of new prompts into their slots."""
        state = context.mamba_states.get(self.layer_number)
        if state is None:
            slots = len(context.lengths)
            state = MambaState(conv.new_zeros(slots, *conv.shape[1:]), ssm.new_zeros(slots, *ssm.shape[1:]))
            context.mamba_states[self.layer_number] = state
        assert context.rows is not None
        state.conv[context.rows] = conv[context.sources]
        state.ssm[context.rows] = ssm[context.sources]

    def _average_over_ranks(self, mean_square: Tensor) -> Tensor:
        """Mean over ranks; in the backward pass every rank's gradient counts for every rank's values."""
        total = reduce_from_tensor_model_parallel_region(mean_square, group=self.tp_group)
        mean: Tensor = copy_to_tensor_model_parallel_region(total, group=self.tp_group) / self.ranks
        return mean

    def sharded_state_dict(
        self,
        prefix: str = "",
        sharded_offsets: tuple[tuple[int, int, int], ...] = (),
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """See `prism.megatron.mamba_sharding`."""
        return mixer_sharded_state_dict(self, prefix, sharded_offsets, metadata)


def _document_numbers(packed: PackedSeqParams, length: int) -> Tensor:
    """(1, length) from cumulative document lengths."""
    ends = packed.cu_seqlens_q[1:]
    positions = torch.arange(length, device=ends.device)
    return torch.bucketize(positions, ends, right=True)[None]
