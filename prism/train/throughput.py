"""Tokens per second and model FLOP utilisation."""

from __future__ import annotations

import time

import torch

PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Dense bf16 peak of a device by a part of its name (vendor data sheets)."""


def device_peak() -> float | None:
    """Peak FLOP/s of this rank's device, or None where it isn't known (a CPU)."""
    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name()
    return next((peak for part, peak in PEAK_FLOPS.items() if part in name), None)


class Throughput:
    """Times steps. FLOPs of a token are 6 x parameters (forward and backward; attention scores left out)."""

    def __init__(self, parameters: int, tokens_per_step: int, devices: int) -> None:
        self._flops_per_step = 6.0 * parameters * tokens_per_step
        self._tokens_per_step = tokens_per_step
        self._devices = devices
        self._peak = device_peak()
        self._last = time.perf_counter()

    def lap(self) -> dict[str, float | None]:
        """Seconds since the last lap, tokens per second, MFU."""
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        mfu = self._flops_per_step / seconds / (self._peak * self._devices) if self._peak else None
        return {
            "seconds": round(seconds, 4),
            "tokens_per_second": round(self._tokens_per_step / seconds, 1),
            "mfu": round(mfu, 4) if mfu else None,
        }
