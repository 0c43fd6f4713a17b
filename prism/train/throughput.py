"""How fast a stage trains: tokens per second, model FLOP utilisation, wait for data, memory, time to the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from prism.train.flops import pairs_seen, token_flops

if TYPE_CHECKING:
    from prism.recipe import MidtrainConfig, ModelConfig

PEAK_FLOPS = {
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "H200": 989e12,
    "GH200": 989e12,
    "B200": 2_250e12,
    "A100": 312e12,
    "L40S": 362e12,
    "MI300X": 1_307e12,
}
"""Dense bf16 peak of a device by a part of its name (vendors' data sheets); the first part that fits counts."""

_MEMORY_EVERY_S = 1.0
_REMEMBERED = 1_000
"""Steps over which the seconds of a step are averaged for the time to the end; saves and validation are among them."""


def device_peak() -> float | None:
    """Peak FLOP/s of this rank's device in bf16, or None where it isn't known (a CPU)."""
    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name()
    return next((peak for part, peak in PEAK_FLOPS.items() if part in name), None)


class Throughput:
    """Times a stage's steps on one rank.

    MFU is what the model's arithmetic needs (`prism.train.flops`) over what all devices could do in bf16, in whatever
    precision the stage trains.

    Args:
        devices: ranks of the stage.
        clock: seconds from any moment on.
    """

    def __init__(
        self,
        model: ModelConfig,
        vocab_size: int,
        config: MidtrainConfig,
        devices: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._flops = token_flops(model, vocab_size, config.sequence_length)
        self._window = model.sliding_window
        self._attention_only = config.trainable == "attention"
        self._tokens_per_step = config.global_batch_size * config.sequence_length
        self._whole = pairs_seen(config.sequence_length, self._window)
        self._devices = devices
        self._peak = device_peak()
        self._clock = clock
        self._memory = _PeakMemory(clock)
        self._pace = _Pace()
        self.start()

    def start(self) -> None:
        """The first step begins now."""
        self._begin(self._clock())

    def waited_for_data(self, seconds: float) -> None:
        """Adds to what this step's batches made the rank wait."""
        self._waited += seconds

    def packed(self, ends: Sequence[Sequence[int]]) -> None:
        """Says where the documents of this step's rows end, which don't see each other: attention costs that much less.

        Of this rank's rows; those of the others are taken to be like them.
        """
        lengths = [end - start for row in ends for start, end in zip((0, *row), row, strict=False) if end > start]
        self._pairs = sum(length * pairs_seen(length, self._window) for length in lengths) / max(1, sum(lengths))

    def lap(self, step: int, steps: int) -> dict[str, float | None]:
        """The row's `timing` of `step`, which ends now.

        `data_wait` is a share of `seconds`; `memory_gib` the most so far, on this rank: allocated on its GPU, or of its
        own (not mapped files) on a CPU; `eta_seconds` what is left to the last step, saving and validation included.
        """
        now = self._clock()
        seconds = max(1e-9, now - self._last)
        waited, pairs = self._waited, self._pairs
        self._begin(now)
        self._pace.add(seconds)
        speed = self._tokens_per_step / seconds
        mfu = None
        if self._peak:
            mfu = (
                speed * self._flops.training(pairs, attention_only=self._attention_only) / (self._peak * self._devices)
            )
        return {
            "seconds": round(seconds, 4),
            "tokens_per_second": round(speed, 1),
            "tokens_per_second_per_device": round(speed / self._devices, 1),
            "mfu": round(mfu, 4) if mfu is not None else None,
            "data_wait": round(min(1.0, waited / seconds), 4),
            "memory_gib": round(self._memory.bytes() / 2**30, 3),
            "eta_seconds": round((steps - step) * self._pace.seconds, 1),
        }

    def _begin(self, now: float) -> None:
        self._last, self._waited, self._pairs = now, 0.0, self._whole


class _Pace:
    """Mean seconds of a step; older ones fade. The first, which warms up, is left out once there is another."""

    def __init__(self) -> None:
        self._laps = 0
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self._laps += 1
        weight = 1.0 if self._laps <= 2 else 1 / min(_REMEMBERED, self._laps - 1)
        self.seconds += weight * (seconds - self.seconds)


class _PeakMemory:
    """The most memory of this process so far, looked at once a second at most."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._most = 0
        self._next = clock()

    def bytes(self) -> int:
        if self._clock() >= self._next:
            self._next = self._clock() + _MEMORY_EVERY_S
            now = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _own_memory()
            self._most = max(self._most, now)
        return self._most


def _own_memory() -> int:
    """Anonymous and shared memory in bytes; 0 where /proc doesn't tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return 1_024 * sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))
