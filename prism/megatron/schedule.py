"""Learning-rate schedules: linear warm-up, then decay to a floor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prism.recipe import ScheduleConfig


def learning_rate(step: int, steps: int, peak: float, schedule: ScheduleConfig) -> float:
    """The learning rate of step `step` (from 1) of `steps`.

    Warm-up rises linearly to `peak` at step `warmup_steps`; the rest decays to `final_fraction` x peak at the last
    step: half a cosine (Table 16), a straight line (Table 21), an exponential (Table 17), or not at all.
    """
    if step <= schedule.warmup_steps:
        return peak * step / schedule.warmup_steps
    decay_steps = max(1, steps - schedule.warmup_steps)
    progress = min(1.0, (step - schedule.warmup_steps) / decay_steps)
    floor = schedule.final_fraction
    if schedule.kind == "constant":
        return peak
    if schedule.kind == "linear":
        return peak * (1 - (1 - floor) * progress)
    if schedule.kind == "exponential":
        return peak * ((floor or _EXPONENTIAL_END) ** progress if progress < 1 else floor)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


_EXPONENTIAL_END = 1e-3
"""An exponential never reaches zero; with a final learning rate of 0 it decays towards this share, then stops."""
