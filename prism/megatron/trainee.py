"""A model in training on this rank: weights in a data-parallel wrapper, and its optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
from torch import Tensor

from prism.megatron import checkpoint
from prism.megatron.build import build_model
from prism.megatron.checkpoint import Checkpoint
from prism.megatron.config import transformer_config
from prism.megatron.initialise import initialise
from prism.megatron.optimizer import build_optimizer, uses_distributed_optimizer
from prism.megatron.parallel import Layout
from prism.megatron.step import Batch, Loss, StepResult, forward_backward, train_step

if TYPE_CHECKING:
    from prism.recipe import ModelConfig
    from prism.recipe import OptimizerConfig as OptimizerSettings

_ATTENTION_PARTS = ("self_attention.", "input_layernorm.")


class Trainee:
    """Builds the model at `layout` and trains it. All ranks hold one and call its methods together."""

    def __init__(
        self,
        model: ModelConfig,
        vocab_size: int,
        layout: Layout,
        optimizer: OptimizerSettings,
        precision: str = "fp32",
        trainable: str = "all",
    ) -> None:
        self.model = model
        self.vocab_size = vocab_size
        self._settings = optimizer
        module = build_model(model, vocab_size, layout, precision)
        if trainable == "attention":
            for name, parameter in module.named_parameters():
                parameter.requires_grad = any(part in name for part in _ATTENTION_PARTS)
        self.chunk = DistributedDataParallel(
            transformer_config(model, layout, precision),
            DistributedDataParallelConfig(
                grad_reduce_in_fp32=True, use_distributed_optimizer=uses_distributed_optimizer()
            ),
            module,
        )
        self.optimizer = build_optimizer(self.chunk, optimizer, precision)

    def initialise(self, seed: int) -> None:
        initialise(checkpoint.unwrap(self.chunk), self.model, seed)
        self.optimizer.reload_model_params()

    def load_weights(self, source: Checkpoint) -> None:
        """Begins from another stage's weights; optimizer state starts fresh."""
        checkpoint.load(source, self.chunk)
        self.optimizer.reload_model_params()

    def resume(self, source: Checkpoint) -> None:
        """Goes on where `source` was saved: weights, optimizer, random state."""
        checkpoint.load(source, self.chunk, self.optimizer)

    def save(
        self,
        directory: Path,
        step: int,
        state: Mapping[str, Any],
        frozen: Mapping[str, torch.nn.Module] | None = None,
    ) -> Checkpoint:
        """Writes a checkpoint; see `prism.megatron.checkpoint.save`."""
        return checkpoint.save(directory, step, self.chunk, self.optimizer, state, frozen)

    def step(
        self, batches: Sequence[Batch], loss: Loss[Batch], learning_rate: float, report: Sequence[str]
    ) -> StepResult:
        """One optimizer step over `batches`; see `prism.megatron.step`."""
        self.chunk.train()
        return train_step(
            self.chunk,
            self.optimizer,
            batches,
            loss,
            learning_rate=learning_rate,
            weight_decay=self._settings.weight_decay,
            report=report,
        )

    def evaluate(self, batches: Sequence[Batch], loss: Loss[Batch], report: Sequence[str]) -> Mapping[str, Tensor]:
        """What `loss` reports, summed over this rank's micro batches; no gradients, nothing changes."""
        self.chunk.eval()
        with torch.no_grad():
            return forward_backward(self.chunk, batches, loss, report=report, forward_only=True)

    def parameters_per_token(self) -> int:
        """Parameters on this rank, for throughput figures."""
        return sum(parameter.numel() for parameter in self.chunk.parameters())

    def weights(self) -> list[Tensor]:
        """This rank's weights, in a fixed order; shared, not copied."""
        return [parameter.data for parameter in checkpoint.unwrap(self.chunk).parameters()]


def build_frozen(model: ModelConfig, vocab_size: int, layout: Layout, precision: str = "fp32") -> torch.nn.Module:
    """A model for forward passes only; weights not yet set."""
    return build_model(model, vocab_size, layout, precision).requires_grad_(False)
