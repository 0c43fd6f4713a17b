"""The compiled steps of decoding against torch's operators in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from prism.kernels import token_cpu
from prism.kernels.rope import rotation

SLOTS, GROUPS, HEADS, CAPACITY = 6, 2, 3, 64


def attended(
    mixed: Tensor,
    angles: Tensor | None,
    lengths: Tensor,
    keys: Tensor,
    values: Tensor,
    scale: float,
    window: int | None,
) -> Tensor:
    """By definition, slot by slot, in float64."""
    mixed, rows = mixed.double(), []
    turn = rotation(angles.double(), torch.float64)
    mixed = torch.cat([turn.of(mixed[:, :, :-1]), mixed[:, :, -1:]], 2)
    for slot, length in enumerate(lengths.tolist()):
        first = 0 if window is None else max(0, length + 1 - window)
        k = torch.cat([keys[slot, :, :length].double(), mixed[slot, :, HEADS : HEADS + 1]], 1)[:, first:]
        v = torch.cat([values[slot, :, :length].double(), mixed[slot, :, HEADS + 1 :]], 1)[:, first:]
        weights = torch.softmax(mixed[slot, :, :HEADS] @ k.mT * scale, -1)
        rows.append((weights @ v).flatten())
    return torch.stack(rows)


def attend(
    mixed: Tensor, angles: Tensor, lengths: Tensor, keys: Tensor, values: Tensor, scale: float, window: int | None
) -> Tensor:
    """The compiled pass. `angles` are of all positions."""
    slots, groups, rows, dim = mixed.shape
    table, out = rotation(angles, torch.float32), torch.zeros(slots, groups, rows - 2, dim)
    given = [table.cos.view(-1, dim), table.sin.view(-1, dim), lengths, keys, values]
    token_cpu.attend(dim)(
        mixed.numpy(), *(one.numpy() for one in given), np.float32(scale), window or 0, out.numpy()
    )  # fmt: skip
    return out.view(slots, -1)


@pytest.mark.parametrize("window", [None, 5])
@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("dim", [16, 64])
def test_attention_reads_what_each_slot_holds(dim: int, turned: bool, window: int | None) -> None:
    stream = torch.Generator().manual_seed(dim)
    mixed = torch.randn(SLOTS, GROUPS, HEADS + 2, dim, generator=stream) * 3
    keys, values = (torch.randn(SLOTS, GROUPS, CAPACITY, dim, generator=stream) for _ in range(2))
    lengths = torch.tensor([0, 1, 3, 8, 41, 63])
    half = torch.randn(CAPACITY, 1, 1, dim // 2, generator=stream) * turned
    angles = torch.cat([half, half], -1)
    expected = attended(mixed, angles[lengths], lengths, keys, values, 0.3, window)
    roped = rotation(angles[lengths], torch.float32).of(mixed[:, :, HEADS : HEADS + 1])[:, :, 0]
    found = attend(mixed, angles, lengths, keys, values, 0.3, window)
    torch.testing.assert_close(found.double(), expected, rtol=2e-5, atol=2e-5)
    rows = torch.arange(SLOTS)
    assert torch.equal(values[rows, :, lengths], mixed[:, :, -1])
    torch.testing.assert_close(keys[rows, :, lengths], roped)


def test_weights_far_below_the_largest_vanish_without_a_fault() -> None:
    mixed = torch.zeros(1, 1, 3, 16)
    mixed[0, 0, 0] = 100.0
    mixed[0, 0, 1] = -100.0
    keys, values = torch.full((1, 1, 8, 16), 100.0), torch.ones(1, 1, 8, 16)
    found = attend(mixed, torch.zeros(8, 1, 1, 16), torch.tensor([7]), keys, values, 1.0, None)
    torch.testing.assert_close(found, torch.ones(1, 16))


def test_the_norm_and_swiglu_are_torch_s() -> None:
    x, weight, out = torch.randn(7, 129) * 10, torch.rand(129), torch.zeros(7, 129)
    token_cpu.rms_norm(x.numpy(), weight.numpy(), np.float32(1e-5), out.numpy())
    torch.testing.assert_close(out, F.rms_norm(x, (129,), weight, 1e-5))
    inner = torch.cat([torch.linspace(-120, 120, 481), torch.randn(481)])[None].repeat(3, 1)
    gate, up = inner.chunk(2, -1)
    active = torch.zeros(3, 481)
    token_cpu.swiglu(inner.numpy(), active.numpy())
    torch.testing.assert_close(active, F.silu(gate) * up)
