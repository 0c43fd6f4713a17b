"""RoPE, SwiGLU and attention against their definitions, with gradients."""

import pytest
import torch
import torch.nn.functional as F

from prism.kernels.activation import squared_relu, swiglu
from prism.kernels.attention import attention
from prism.kernels.norm import rms_norm
from prism.kernels.rope import rotate


def test_rotation_is_the_complex_one_and_its_gradient_is_right() -> None:
    x = torch.randn(5, 2, 3, 8, dtype=torch.float64, requires_grad=True)
    half = torch.outer(
        torch.arange(5.0, dtype=torch.float64), torch.tensor([1.0, 0.1, 0.01, 0.001], dtype=torch.float64)
    )
    angles = torch.cat([half, half], -1)[:, None, None]
    first, second = x.chunk(2, -1)
    turned = torch.complex(first, second) * torch.polar(torch.ones_like(half), half)[:, None, None]
    torch.testing.assert_close(rotate(x, angles), torch.cat([turned.real, turned.imag], -1))
    assert torch.autograd.gradcheck(lambda value: rotate(value, angles), (x,))


def test_swiglu_is_silu_of_one_half_times_the_other_with_its_gradient() -> None:
    x = torch.randn(4, 10, dtype=torch.float64, requires_grad=True)
    gate, up = x.chunk(2, -1)
    torch.testing.assert_close(swiglu(x), F.silu(gate) * up)
    assert torch.autograd.gradcheck(swiglu, (x,))
    torch.testing.assert_close(squared_relu(x), x.clamp(min=0) ** 2)
    assert torch.autograd.gradcheck(squared_relu, (x,))


def test_what_goes_block_by_block_is_what_goes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = torch.randn(2, 7, 10, dtype=torch.float64), torch.randn(10, dtype=torch.float64)
    x.requires_grad_(), weight.requires_grad_()
    for size in (1, 250, 1_000_000):
        monkeypatch.setattr("prism.kernels.blocks._BYTES", size)
        torch.testing.assert_close(rms_norm(x, weight, 1e-5), F.rms_norm(x, (10,), weight, 1e-5))
        assert torch.autograd.gradcheck(lambda value, scale: rms_norm(value, scale, 1e-5), (x, weight))
        assert torch.autograd.gradcheck(squared_relu, (x,))


def test_grouped_attention_with_a_mask_equals_the_formula() -> None:
    q, k, v = (torch.randn(2, heads, 6, 4, dtype=torch.float64) for heads in (4, 2, 2))
    mask = torch.ones(6, 6, dtype=torch.bool).tril()
    scores = q @ k.repeat_interleave(2, 1).mT / 2
    expected = scores.masked_fill(~mask, float("-inf")).softmax(-1) @ v.repeat_interleave(2, 1)
    torch.testing.assert_close(attention(q, k, v, causal=True), expected)
    torch.testing.assert_close(attention(q, k, v, mask=mask[None, None]), expected)
