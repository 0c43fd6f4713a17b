"""Attention of one token a slot: torch's operators, as on a GPU, and the compiled pass give the same."""

from __future__ import annotations

import pytest
import torch

from prism.kernels.rope import rotation
from prism.megatron.decode import DecodeContext


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("turned", [True, False])
def test_torch_and_the_compiled_pass_agree_as_slots_fill(turned: bool, window: int | None) -> None:
    stream = torch.Generator().manual_seed(5)
    with torch.inference_mode():
        found = []
        for dtype in (torch.float32, torch.float64):
            context = DecodeContext(3, torch.device("cpu"))
            stream.manual_seed(5)
            outs = []
            keys, values = torch.randn(2, 4, 2, 2, 8, generator=stream).to(dtype)
            context.begin_prompts([4, 2], [0, 2], [0, 1])
            context.enter(1, keys, values)
            context.end_prompts()
            for _ in range(5):
                mixed = torch.randn(3, 2, 5, 8, generator=stream).to(dtype)
                half = torch.randn(3, 1, 1, 4, generator=stream).to(dtype)
                turn = rotation(torch.cat([half, half], -1), dtype) if turned else None
                context.begin_token()
                outs.append(context.attend(1, mixed, turn, None, window)[[0, 2]])
                context.end_token()
            found.append(torch.stack(outs).double())
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-5)
