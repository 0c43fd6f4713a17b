"""The reference policy: one extra set of weights that slowly follows the policy in training (TR-GRPO's soft update)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prism.megatron import checkpoint
from prism.megatron.backend import backend
from prism.megatron.parallel import Layout
from prism.megatron.trainee import Trainee, build_frozen
from prism.rl.batch import RolloutBatch, label_logprobs

if TYPE_CHECKING:
    from prism.recipe import ModelConfig


def soft_update(reference: Sequence[Tensor], policy: Sequence[Tensor], rate: float) -> None:
    """theta_ref <- rate x theta + (1 - rate) x theta_ref, in place. Sequences hold the same shapes in order."""
    with torch.no_grad():
        for old, new in zip(reference, policy, strict=True):
            old.lerp_(new.to(old.device, old.dtype), rate)


class Reference:
    """Weights in fp32 that are kept, and a model that computes with them.

    Kept in bf16, a reference that moves by a small share of a small difference would stand still: the step is less
    than bf16 can say. So the kept weights are fp32, and the computing model, of the policy's precision, takes their
    values. In fp32 both are one.

    Args:
        offload: whether both wait in host memory between forward passes.
    """

    def __init__(self, model: ModelConfig, vocab_size: int, layout: Layout, precision: str, *, offload: bool) -> None:
        self.kept = build_frozen(model, vocab_size, layout, "fp32")
        """What a checkpoint holds."""
        self._computing = self.kept if precision == "fp32" else build_frozen(model, vocab_size, layout, precision)
        self._offload = offload
        self._leave()

    def load(self, source: checkpoint.Checkpoint) -> None:
        """Begins from another stage's weights."""
        checkpoint.load(source, self.kept)
        self._copy()

    def resume(self, source: checkpoint.Checkpoint) -> None:
        """Goes on with what `source` kept."""
        checkpoint.load_frozen(source, self.kept, "reference")
        self._copy()

    def follow(self, trainee: Trainee, rate: float) -> None:
        """Moves by `rate` towards the policy."""
        if rate == 0:
            return
        soft_update([parameter.data for parameter in self.kept.parameters()], trainee.weights(), rate)
        self._copy()

    def logprobs(self, batches: Sequence[RolloutBatch]) -> list[RolloutBatch]:
        """The batches with the reference's log-probabilities of their labels. Collective."""
        if self._offload:
            self._computing.to(backend().device)
        found = [replace(batch, reference_logprobs=label_logprobs(self._computing, batch)) for batch in batches]
        self._leave()
        return found

    def _leave(self) -> None:
        """Gives the device's memory back, where that is asked for."""
        if self._offload:
            for module in (self.kept, self._computing):
                module.to("cpu")

    def _copy(self) -> None:
        if self._computing is self.kept:
            return
        with torch.no_grad():
            for narrow, wide in zip(self._computing.parameters(), self.kept.parameters(), strict=True):
                narrow.copy_(wide)
