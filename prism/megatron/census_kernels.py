"""What fused kernels on a GPU keep and cost, for a census that runs without one.

On a CPU some operations take another way than on a GPU, and keep other tensors for the backward pass. These stand-ins
allocate what the GPU's kernels do, and compute nothing:

| operation | on a CPU | on a GPU, and here |
|---|---|---|
| attention | flash or plain math | flash: query, key, value, output, a number a position and head |
| Mamba-2 scan | chunk by chunk, with states and decays | mamba-ssm: its inputs and the output; states are made again |
| convolution | the sum before SiLU too | causal-conv1d: its input alone |
| RMSNorm in bf16 | several steps | one kernel: its input, a number a row |
| element-wise chains | in blocks that fit the cache | whole |
| dropout of 0 | a mask | nothing: fused with the addition that follows |

Masked blocks (sliding windows, documents, context parallelism) are reckoned with a fused kernel that reads the mask.
Sources: torch's `_scaled_dot_product_flash_attention`; mamba-ssm 2's `MambaChunkScanCombinedFn`; causal-conv1d's
`CausalConv1dFn`. Not held to a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import prism.kernels.activation as activation
import prism.kernels.norm as gated_norm
import prism.megatron.mamba as mamba
import prism.megatron.norm as norm
from prism.kernels.select import Kernels
from prism.kernels.ssd import Scanned
from prism.megatron.census_record import Recorder


@contextmanager
def gpu_kernels(recorder: Recorder) -> Iterator[None]:
    """Within it attention, scan, convolution and norms are the stand-ins, and `recorder` counts each as one kernel."""
    kernels = Kernels(scan=_scan(recorder), conv=_conv(recorder))
    plain_dropout = F.dropout

    def attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any) -> Tensor:
        causal = bool(options.get("is_causal"))
        out: Tensor = _Attention.apply(query, key, value, attn_mask, causal, recorder)  # type: ignore[no-untyped-call]
        return out

    def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        out: Tensor = _Norm.apply(x, weight, recorder)  # type: ignore[no-untyped-call]
        return out

    def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        return plain_dropout(x, p, training, inplace) if p else x

    swaps: list[tuple[Any, str, Any]] = [
        (F, "scaled_dot_product_attention", attention),
        (F, "dropout", dropout),
        (mamba, "choose", lambda device, dtype: kernels),
        (norm, "rms_norm", rms_norm),
        (activation, "row_blocks", lambda x: iter([slice(None)])),
        (gated_norm, "row_blocks", lambda x: iter([slice(None)])),
    ]
    before = [getattr(module, name) for module, name, _ in swaps]
    try:
        for module, name, stand_in in swaps:
            setattr(module, name, stand_in)
        yield
    finally:
        for (module, name, _), own in zip(swaps, before, strict=True):
            setattr(module, name, own)


class _Attention(torch.autograd.Function):
    """Forward two products of (queries x keys x width) a head, half of it where causal; backward five."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool, recorder: Recorder
    ) -> Tensor:
        batch, heads, queries, width = query.shape
        ctx.pairs = batch * heads * queries * key.shape[2] * width * (0.5 if causal else 1.0)
        ctx.recorder = recorder
        with recorder.one_kernel("attention", 4 * ctx.pairs, [query, key, value, query]):
            # As flash attention lays it out: (batch, seq, heads, dim) in memory.
            out = query.new_empty(batch, queries, heads, width).transpose(1, 2)
            sums = query.new_empty(batch, heads, queries, dtype=torch.float32)
        ctx.save_for_backward(query, key, value, out, sums, *(() if mask is None else (mask,)))
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out = ctx.saved_tensors[:4]
        with ctx.recorder.one_kernel("attention", 10 * ctx.pairs, [query, key, value, out, *gradients, query, key]):
            found = tuple(torch.empty_like(one) for one in (query, key, value))
        return (*found, None, None, None)


def _scan(recorder: Recorder) -> Any:
    def scan(
        x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None = None, *, chunk_size: int, **_: Any
    ) -> Scanned:
        y: Tensor = _Scan.apply(x, dt, A, B, C, D, chunk_size, recorder)  # type: ignore[no-untyped-call]
        return Scanned(y, None)

    return scan


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        dt: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor | None,
        chunk_size: int,
        recorder: Recorder,
    ) -> Tensor:
        batch, length, heads, width = x.shape
        state, chunk = B.shape[3], min(chunk_size, length)
        inner, groups = heads * width, B.shape[2] * state
        ctx.flops = 2.0 * batch * length * (2 * inner * state + (inner + groups) * chunk / 2)
        ctx.states = (batch, -(-length // chunk), heads, width, state)
        ctx.recorder = recorder
        with recorder.one_kernel("scan", ctx.flops, [x, dt, B, C, x]):
            states = x.new_empty(ctx.states, dtype=torch.float32)
            y = torch.empty_like(x, memory_format=torch.contiguous_format)
            del states
        ctx.save_for_backward(x, dt, A, B, C, D, y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, dt, A, B, C, D, y = ctx.saved_tensors
        with ctx.recorder.one_kernel("scan", 3 * ctx.flops, [x, dt, B, C, y, *gradients, x, B, C]):
            kept = [x.new_empty(ctx.states, dtype=torch.float32) for _ in range(2)]
            found = tuple(None if one is None else torch.empty_like(one) for one in (x, dt, A, B, C, D))
            del kept
        return (*found, None, None)


def _conv(recorder: Recorder) -> Any:
    def conv(x: Tensor, weight: Tensor, bias: Tensor, **_: Any) -> Tensor:
        out: Tensor = _Conv.apply(x, weight.to(x.dtype), bias.to(x.dtype), recorder)  # type: ignore[no-untyped-call]
        return out

    return conv


class _Conv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, recorder: Recorder) -> Tensor:
        ctx.recorder = recorder
        x = x.contiguous()
        with recorder.one_kernel("memory", 0.0, [x, x]):
            out = torch.empty_like(x)
        ctx.save_for_backward(x, weight, bias)
        return out

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor | None, ...]:
        with ctx.recorder.one_kernel("memory", 0.0, [ctx.saved_tensors[0]] * 3):
            return (*(torch.empty_like(one) for one in ctx.saved_tensors), None)


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, recorder: Recorder) -> Tensor:
        ctx.recorder = recorder
        with recorder.one_kernel("memory", 0.0, [x, x]):
            out = torch.empty_like(x, memory_format=torch.contiguous_format)
            scale = x.new_empty(*x.shape[:-1], 1, dtype=torch.float32)
        ctx.save_for_backward(x, weight, scale)
        return out

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, _scale = ctx.saved_tensors
        with ctx.recorder.one_kernel("memory", 0.0, [x] * 3):
            return torch.empty_like(x), torch.empty_like(weight), None
