"""The GRPO loss of a whole update in numpy, float64, response by response: what ours is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Told:
    """A response as the formula sees it: log-probabilities of its tokens, and its reward."""

    new: Floats
    old: Floats
    generated: Floats
    reference: Floats
    reward: float


@dataclass(frozen=True)
class Settings:
    low: float = 0.2
    high: float = 0.28
    cap: float | None = 2.0
    beta: float = 0.05
    kl: str = "k3"
    normalisation: str = "batch"
    eta: float = 1e-4


def loss(groups: Sequence[Sequence[Told]], settings: Settings) -> float:
    total, tokens = 0.0, sum(len(one.new) for group in groups for one in group)
    for group in groups:
        rewards = np.array([one.reward for one in group])
        deviation = rewards.std(ddof=1)
        of_group = sum(len(one.new) for one in group)
        for one in group:
            advantage = 0.0 if np.ptp(rewards) == 0 else (one.reward - rewards.mean()) / (deviation + settings.eta)
            ratio = np.exp(one.new - one.old)
            surrogate = np.minimum(ratio * advantage, np.clip(ratio, 1 - settings.low, 1 + settings.high) * advantage)
            importance = np.exp(one.old - one.generated)
            importance = np.ones_like(importance) if settings.cap is None else np.minimum(importance, settings.cap)
            difference = one.new - one.reference
            kl = {
                "k1": difference,
                "k2": difference**2 / 2,
                "k3": np.exp(-difference) - 1 + difference,
            }[settings.kl]
            weight = {
                "batch": 1 / tokens,
                "group": 1 / (len(groups) * of_group),
                "response": 1 / (len(groups) * len(group) * len(one.new)),
            }[settings.normalisation]
            total -= weight * float((importance * surrogate - settings.beta * kl).sum())
    return total
