"""The Mamba-2 kernels against a sequential float64 reference."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from prism.kernels.conv import causal_conv
from prism.kernels.ssd import ssd_scan
from prism.kernels.step import conv_step, state_step

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def inputs(length: int, groups: int, batch: int = 2, heads: int = 4, dim: int = 3, state: int = 5) -> Inputs:
    generator = torch.Generator().manual_seed(length * 10 + groups)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return (
        random(batch, length, heads, dim),
        F.softplus(random(batch, length, heads)),
        -random(heads).exp(),
        random(batch, length, groups, state),
        random(batch, length, groups, state),
        random(heads),
    )


def one_by_one(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """h <- exp(dt A) h + dt x B', y = h C + D x, position after position."""
    batch, length, heads, dim = x.shape
    b, c = (part.repeat_interleave(heads // part.shape[2], 2) for part in (b, c))
    state = torch.zeros(batch, heads, dim, b.shape[-1], dtype=torch.float64)
    outputs = []
    for t in range(length):
        state = state * torch.exp(dt[:, t] * a)[..., None, None]
        state = state + (dt[:, t, :, None] * x[:, t])[..., None] * b[:, t, :, None, :]
        outputs.append((state * c[:, t, :, None, :]).sum(-1) + d[:, None] * x[:, t])
    return torch.stack(outputs, 1), state


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 40), chunk=st.integers(1, 48), groups=st.sampled_from([1, 2, 4]))
def test_the_chunked_scan_equals_the_sequential_one(length: int, chunk: int, groups: int) -> None:
    given_ = inputs(length, groups)
    expected, state = one_by_one(*given_)
    found = ssd_scan(*given_, chunk_size=chunk, with_state=True)
    torch.testing.assert_close(found.y, expected, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found.state, state, atol=1e-9, rtol=1e-9)


def test_its_gradients_equal_the_sequential_ones() -> None:
    given_ = tuple(part.requires_grad_() for part in inputs(21, 2))
    weights = torch.randn(2, 21, 4, 3, dtype=torch.float64)
    ours = torch.autograd.grad((ssd_scan(*given_, chunk_size=8).y * weights).sum(), given_)
    theirs = torch.autograd.grad((one_by_one(*given_)[0] * weights).sum(), given_)
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, atol=1e-9, rtol=1e-8)


def test_a_packed_document_does_not_see_the_one_before_it() -> None:
    x, dt, a, b, c, d = inputs(30, 1)
    seq_idx = torch.tensor([[0] * 13 + [1] * 17] * 2)
    packed = ssd_scan(x, dt, a, b, c, d, chunk_size=8, seq_idx=seq_idx).y
    alone = one_by_one(x[:, 13:], dt[:, 13:], a, b[:, 13:], c[:, 13:], d)[0]
    torch.testing.assert_close(packed[:, 13:], alone, atol=1e-9, rtol=1e-9)


def test_token_by_token_equals_the_scan() -> None:
    x, dt, a, b, c, d = inputs(12, 2)
    state = torch.zeros(2, 4, 3, 5, dtype=torch.float64)
    steps = [state_step(x[:, t], dt[:, t], a, b[:, t], c[:, t], d, state) for t in range(12)]
    scanned = ssd_scan(x, dt, a, b, c, d, chunk_size=5, with_state=True)
    torch.testing.assert_close(torch.stack(steps, 1), scanned.y, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(state, scanned.state, atol=1e-9, rtol=1e-9)


def test_the_convolution_equals_torchs_and_its_own_single_steps() -> None:
    x, weight, bias = torch.randn(2, 9, 6), torch.randn(6, 4), torch.randn(6)
    expected = F.silu(F.conv1d(x.mT, weight[:, None], bias, padding=3, groups=6)[..., :9]).mT
    torch.testing.assert_close(causal_conv(x, weight, bias), expected, atol=1e-5, rtol=1e-5)
    state = torch.zeros(2, 6, 3)
    steps = [conv_step(x[:, t], weight, bias, state) for t in range(9)]
    torch.testing.assert_close(torch.stack(steps, 1), expected, atol=1e-5, rtol=1e-5)


def test_a_packed_convolution_does_not_reach_back() -> None:
    x, weight, bias = torch.randn(1, 10, 6), torch.randn(6, 4), torch.randn(6)
    seq_idx = torch.tensor([[0] * 4 + [1] * 6])
    packed = causal_conv(x, weight, bias, seq_idx=seq_idx)
    torch.testing.assert_close(packed[:, 4:], causal_conv(x[:, 4:], weight, bias), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_low_precision_inputs_keep_a_float32_state(dtype: torch.dtype) -> None:
    x, dt, a, b, c, d = inputs(16, 1)
    found = ssd_scan(
        x.to(dtype), dt.float(), a.float(), b.to(dtype), c.to(dtype), d.float(), chunk_size=8, with_state=True
    )
    assert found.y.dtype == dtype
    assert found.state is not None and found.state.dtype == torch.float32
    expected, _ = one_by_one(x, dt, a, b, c, d)
    tolerance = 1e-4 if dtype == torch.float32 else 0.15
    torch.testing.assert_close(found.y.double(), expected, atol=tolerance, rtol=tolerance)
