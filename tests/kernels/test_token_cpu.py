"""The compiled steps of decoding against torch's operators in float64."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from prism.kernels import token_cpu
from prism.kernels.rope import rotation
from prism.kernels.token_cpu import attend_token, rms_norm_rows, serves, swiglu_rows

SLOTS, GROUPS, HEADS, CAPACITY = 6, 2, 3, 64


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def test_they_serve_float32_on_a_cpu_without_gradients() -> None:
    assert serves(torch.zeros(1))
    assert not serves(torch.zeros(1, dtype=torch.bfloat16))
    assert not serves(torch.zeros(1, device="meta"))
    with torch.inference_mode(False):
        assert not serves(torch.zeros(1))


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
    if angles is not None:
        turn = rotation(angles.double(), torch.float64)
        mixed = torch.cat([turn.of(mixed[:, :, :-1]), mixed[:, :, -1:]], 2)
    for slot, length in enumerate(lengths.tolist()):
        first = 0 if window is None else max(0, length + 1 - window)
        k = torch.cat([keys[slot, :, :length].double(), mixed[slot, :, HEADS : HEADS + 1]], 1)[:, first:]
        v = torch.cat([values[slot, :, :length].double(), mixed[slot, :, HEADS + 1 :]], 1)[:, first:]
        weights = torch.softmax(mixed[slot, :, :HEADS] @ k.mT * scale, -1)
        rows.append((weights @ v).flatten())
    return torch.stack(rows)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("window", [None, 5])
@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("dim", [16, 64])
def test_attention_reads_what_each_slot_holds(
    dim: int, turned: bool, window: int | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_cpu, "_SHARED_FROM", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    stream = torch.Generator().manual_seed(dim)
    mixed = torch.randn(SLOTS, GROUPS, HEADS + 2, dim, generator=stream) * 3
    keys, values = (torch.randn(SLOTS, GROUPS, CAPACITY, dim, generator=stream) for _ in range(2))
    lengths = torch.tensor([0, 1, 3, 8, 41, 63])
    half = torch.randn(SLOTS, 1, 1, dim // 2, generator=stream)
    angles = torch.cat([half, half], -1) if turned else None
    expected = attended(mixed, angles, lengths, keys, values, 0.3, window)
    turn = None if angles is None else rotation(angles, torch.float32)
    found = attend_token(mixed, turn, lengths, keys, values, scale=0.3, window=window, positions=int(lengths.sum()))
    torch.testing.assert_close(found.double(), expected, rtol=2e-5, atol=2e-5)
    rows = torch.arange(SLOTS)
    assert torch.equal(values[rows, :, lengths], mixed[:, :, -1])
    roped = mixed[:, :, HEADS] if turn is None else turn.of(mixed)[:, :, HEADS]
    torch.testing.assert_close(keys[rows, :, lengths], roped)


def test_weights_far_below_the_largest_vanish_without_a_fault() -> None:
    mixed = torch.zeros(1, 1, 3, 16)
    mixed[0, 0, 0] = 100.0
    mixed[0, 0, 1] = -100.0
    keys, values = torch.full((1, 1, 8, 16), 100.0), torch.ones(1, 1, 8, 16)
    found = attend_token(mixed, None, torch.tensor([7]), keys, values, scale=1.0, window=None, positions=7)
    torch.testing.assert_close(found, torch.ones(1, 16))


def test_the_norm_and_swiglu_are_torch_s() -> None:
    x, weight = torch.randn(7, 129) * 10, torch.rand(129)
    torch.testing.assert_close(rms_norm_rows(x, weight, 1e-5), F.rms_norm(x, (129,), weight, 1e-5))
    inner = torch.cat([torch.linspace(-120, 120, 481), torch.randn(481)])[None].repeat(3, 1)
    gate, up = inner.chunk(2, -1)
    torch.testing.assert_close(swiglu_rows(inner), F.silu(gate) * up)
