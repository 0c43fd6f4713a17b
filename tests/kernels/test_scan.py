"""The Mamba-2 kernels against a sequential float64 reference."""

from __future__ import annotations

import math

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


def one_by_one(
    x: Tensor,
    dt: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor,
    seq_idx: Tensor | None = None,
    initial_state: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """h <- exp(dt A) h + dt x B', y = h C + D x, position after position; h starts anew with every document."""
    batch, length, heads, dim = x.shape
    b, c = (part.repeat_interleave(heads // part.shape[2], 2) for part in (b, c))
    state = torch.zeros(batch, heads, dim, b.shape[-1], dtype=torch.float64) if initial_state is None else initial_state
    outputs = []
    for t in range(length):
        if seq_idx is not None and t:
            state = state * (seq_idx[:, t] == seq_idx[:, t - 1])[:, None, None, None]
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


def documents(*starts: int, length: int) -> Tensor:
    """Document number of each position, (2, length); the second row's documents start one position later."""
    positions = torch.arange(length)
    return torch.stack([torch.bucketize(positions, torch.tensor(starts) + shift, right=True) for shift in (0, 1)])


@pytest.mark.parametrize("precision", [pytest.param((torch.float64, 1e-12), id="fp64"), (torch.float32, 2e-5)])
@pytest.mark.parametrize("packed", [False, True], ids=["one document", "packed"])
@pytest.mark.parametrize("continued", [False, True], ids=["from zero", "from a state"])
def test_at_a_real_size_only_rounding_separates_chunked_from_sequential(
    precision: tuple[torch.dtype, float], packed: bool, continued: bool
) -> None:
    dtype, tolerance = precision
    generator = torch.Generator().manual_seed(7)
    length, heads, groups, dim, state = 600, 4, 2, 64, 128
    # dt and A as Mamba-2 starts: 0.001..0.1 and -1..-16
    given_ = (
        torch.randn(2, length, heads, dim, generator=generator),
        torch.empty(2, length, heads).uniform_(math.log(1e-3), math.log(1e-1), generator=generator).exp(),
        -torch.empty(heads).uniform_(1, 16, generator=generator),
        torch.randn(2, length, groups, state, generator=generator),
        torch.randn(2, length, groups, state, generator=generator),
        torch.randn(heads, generator=generator),
    )
    # a document within a chunk, one that ends with a chunk, one across chunks
    seq_idx = documents(100, 130, 256, 520, length=length) if packed else None
    first = torch.randn(2, heads, dim, state, generator=generator) if continued else None
    exact = [part.double() for part in given_]
    expected = one_by_one(*exact, seq_idx, None if first is None else first.double())
    found = ssd_scan(
        *(part.to(dtype) for part in given_),
        chunk_size=256,
        seq_idx=seq_idx,
        initial_state=None if first is None else first.to(dtype),
        with_state=True,
    )
    for mine, reference in zip(found, expected, strict=True):
        assert mine is not None
        assert (mine - reference).abs().max() <= tolerance * reference.abs().max()


def test_an_initial_state_reaches_the_first_document_only() -> None:
    given_ = inputs(30, 2)
    seq_idx = documents(13, 20, length=30) + 5
    first = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    found = ssd_scan(*given_, chunk_size=8, seq_idx=seq_idx, initial_state=first)
    without = ssd_scan(*given_, chunk_size=8, seq_idx=seq_idx)
    torch.testing.assert_close(found.y, one_by_one(*given_, seq_idx, first)[0], atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found.y[:, 14:], without.y[:, 14:], atol=0, rtol=0)
    assert not torch.allclose(found.y[:, :13], without.y[:, :13])


def test_gradients_of_a_packed_scan_from_a_state_equal_the_sequential_ones() -> None:
    first = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    given_ = tuple(part.requires_grad_() for part in (*inputs(21, 2), first))
    seq_idx = documents(5, 8, 17, length=21)
    weights = torch.randn(2, 21, 4, 3, dtype=torch.float64)
    final_weights = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    scanned = ssd_scan(*given_[:6], chunk_size=8, seq_idx=seq_idx, initial_state=first, with_state=True)
    assert scanned.state is not None
    y, state = one_by_one(*given_[:6], seq_idx, first)
    ours = torch.autograd.grad((scanned.y * weights).sum() + (scanned.state * final_weights).sum(), given_)
    theirs = torch.autograd.grad((y * weights).sum() + (state * final_weights).sum(), given_)
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, atol=1e-9, rtol=1e-8)


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
    steps = []
    for t in range(9):
        out, state = conv_step(x[:, t], weight, bias, state)
        steps.append(out)
    torch.testing.assert_close(torch.stack(steps, 1), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(state, x[:, -3:].mT)


def test_a_packed_convolution_does_not_reach_back() -> None:
    x, weight, bias = torch.randn(1, 10, 6), torch.randn(6, 4), torch.randn(6)
    seq_idx = torch.tensor([[0] * 4 + [1] * 6])
    packed = causal_conv(x, weight, bias, seq_idx=seq_idx)
    torch.testing.assert_close(packed[:, 4:], causal_conv(x[:, 4:], weight, bias), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("packed", [False, True], ids=["one document", "packed"])
def test_a_convolution_continues_its_first_document_only(packed: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    x, weight, bias, state = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in [(2, 12, 6), (6, 4), (6,), (2, 6, 3)]
    )
    # one document shorter than the kernel's reach, and one that starts within it
    seq_idx = documents(2, 4, length=12) if packed else torch.zeros(2, 12, dtype=torch.long)
    before = torch.cat([state.mT, x], 1)
    numbers = torch.cat([seq_idx[:, :1].expand(-1, 3), seq_idx], 1)
    linear = torch.stack(
        [
            bias
            + sum(
                weight[:, tap] * before[:, t + tap] * (numbers[:, t + tap] == numbers[:, t + 3])[:, None]
                for tap in range(4)
            )
            for t in range(12)
        ],
        1,
    )
    leaves = tuple(part.requires_grad_() for part in (x, weight, bias, state))
    found = causal_conv(x, weight, bias, initial_state=state, seq_idx=seq_idx if packed else None)
    torch.testing.assert_close(found, F.silu(linear), atol=1e-12, rtol=1e-12)
    gradcheck = torch.autograd.gradcheck(
        lambda *given_: causal_conv(*given_[:3], initial_state=given_[3], seq_idx=seq_idx), leaves
    )
    assert gradcheck


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
