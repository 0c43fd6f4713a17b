"""The kernels of this device against float64, in the dtypes that stages train in."""

from __future__ import annotations

import math

import pytest
import torch

from prism.doctor.parity import Parity, attention_parity, conv_parity, scan_parity
from prism.kernels.conv import causal_conv
from prism.kernels.ssd import ssd_scan

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_torch_kernels_hold_in_outputs_and_gradients(dtype: torch.dtype) -> None:
    scan = scan_parity(ssd_scan, CPU, dtype)
    assert set(scan.differences) == {"output", "dx", "ddt", "dA", "dB", "dC", "dD"}
    for parity in (scan, conv_parity(causal_conv, CPU, dtype), attention_parity(CPU, dtype)):
        assert parity.holds, parity
        assert parity.worst[1] > 0  # so it wasn't compared with itself


def test_what_is_not_a_number_does_not_hold() -> None:
    parity = Parity("scan", {"output": 1e-9, "dx": math.nan, "dB": 1.0}, 1e-4)
    assert parity.worst[0] == "dx"
    assert not parity.holds
