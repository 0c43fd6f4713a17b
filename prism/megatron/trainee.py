"""A model in training on this rank: weights in a data-parallel wrapper, and its optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
from megatron.core.models.common.embeddings.language_model_embedding import LanguageModelEmbedding
from torch import Tensor

from prism.megatron import checkpoint
from prism.megatron.build import build_chunks, build_model
from prism.megatron.checkpoint import Checkpoint
from prism.megatron.config import transformer_config
from prism.megatron.initialise import initialise
from prism.megatron.optimizer import build_optimizer, overlaps, uses_distributed_optimizer
from prism.megatron.parallel import Layout
from prism.megatron.step import Batch, Loss, StepResult, forward_backward, train_step

if TYPE_CHECKING:
    from prism.recipe import ModelConfig
    from prism.recipe import OptimizerConfig as OptimizerSettings

_ATTENTION_PARTS = ("self_attention.", "input_layernorm.")


class Trainee:
    """Builds the model at `layout` and trains it. All ranks hold one and call its methods together.

    chunks: this rank's parts of the model in their data-parallel wrappers, in their order along the pipeline: one, or
        `virtual_pipeline` of them.
    """

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
        config = transformer_config(model, layout, precision)
        modules = build_chunks(model, vocab_size, config, layout.loss_chunk_tokens)
        if trainable == "attention":
            for module in modules:
                freeze_all_but_attention(module)
        distributed = uses_distributed_optimizer(layout)
        wrapping = DistributedDataParallelConfig(
            grad_reduce_in_fp32=True,
            use_distributed_optimizer=distributed,
            overlap_grad_reduce=overlaps(layout),
            overlap_param_gather=overlaps(layout) and distributed,
        )
        self.chunks = [
            DistributedDataParallel(config, wrapping, module, disable_bucketing=number > 0)
            for number, module in enumerate(modules)
        ]
        if wrapping.overlap_grad_reduce:
            functions = [chunk.no_sync for chunk in self.chunks]
            config.no_sync_func = functions if len(functions) > 1 else functions[0]
        self.optimizer = build_optimizer(self.chunks, optimizer, precision, layout)

    @property
    def chunk(self) -> Any:
        """The model where it is in one chunk, as in every stage but training."""
        return self.chunks[0]

    def initialise(self, seed: int) -> None:
        for chunk in self.chunks:
            initialise(checkpoint.unwrap(chunk), self.model, seed)
        self.optimizer.reload_model_params()

    def load_weights(self, source: Checkpoint) -> None:
        """Begins from another stage's weights; optimizer state starts fresh."""
        checkpoint.load(source, self.chunks)
        self.optimizer.reload_model_params()

    def resume(self, source: Checkpoint) -> None:
        """Goes on where `source` was saved: weights, optimizer, random state."""
        checkpoint.load(source, self.chunks, self.optimizer)

    def save(
        self,
        directory: Path,
        step: int,
        state: Mapping[str, Any],
        frozen: Mapping[str, torch.nn.Module] | None = None,
    ) -> Checkpoint:
        """Writes a checkpoint; see `prism.megatron.checkpoint.save`."""
        return checkpoint.save(directory, step, self.chunks, self.optimizer, state, frozen)

    def step(
        self, batches: Sequence[Batch], loss: Loss[Batch], learning_rate: float, report: Sequence[str]
    ) -> StepResult:
        """One optimizer step over `batches`; see `prism.megatron.step`."""
        for chunk in self.chunks:
            chunk.train()
        return train_step(
            self.chunks,
            self.optimizer,
            batches,
            loss,
            learning_rate=learning_rate,
            weight_decay=self._settings.weight_decay,
            report=report,
        )

    def evaluate(self, batches: Sequence[Batch], loss: Loss[Batch], report: Sequence[str]) -> Mapping[str, Tensor]:
        """What `loss` reports, summed over this rank's micro batches; no gradients, nothing changes."""
        for chunk in self.chunks:
            chunk.eval()
        with torch.no_grad():
            return forward_backward(self.chunks, batches, loss, report=report, forward_only=True)

    def weights(self) -> list[Tensor]:
        """This rank's weights, in a fixed order; shared, not copied."""
        self.optimizer.gather_weights()
        return [parameter.data for chunk in self.chunks for parameter in checkpoint.unwrap(chunk).parameters()]


def freeze_all_but_attention(module: torch.nn.Module) -> None:
    for name, parameter in module.named_parameters():
        parameter.requires_grad = any(part in name for part in _ATTENTION_PARTS)
    for part in module.modules():
        if isinstance(part, LanguageModelEmbedding):
            # A pipeline stage without attention would have nothing to send back, and layers that are computed again
            # get gradients only through their input.
            part.register_forward_hook(lambda layer, inputs, output: output.requires_grad_())


def build_frozen(model: ModelConfig, vocab_size: int, layout: Layout, precision: str = "fp32") -> torch.nn.Module:
    """A model for forward passes only; weights not yet set."""
    return build_model(model, vocab_size, layout, precision).requires_grad_(False)
