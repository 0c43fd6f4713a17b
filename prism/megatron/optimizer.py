"""AdamW through megatron-core: parameter groups, gradient clipping, learning rate, steps that aren't taken."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from megatron.core import parallel_state
from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer
from megatron.core.optimizer.clip_grads import clip_grad_by_total_norm_fp32
from megatron.core.optimizer.optimizer_config import ParamKey, ParamWithNamePredicate

from prism.megatron.backend import backend
from prism.megatron.optimizer_state import EngineOptimizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prism.megatron.parallel import Layout
    from prism.recipe import OptimizerConfig as OptimizerSettings

_NEVER_DECAYED = ("A_log", "dt_bias", "D", "bias")


def build_optimizer(
    chunks: Sequence[torch.nn.Module], settings: OptimizerSettings, precision: str, layout: Layout
) -> EngineOptimizer:
    """AdamW over the trainable parameters; norms, biases and Mamba's A, dt, D are not decayed.

    Args:
        chunks: this rank's model chunks in their data-parallel wrappers.
    """
    narrow = precision != "fp32"
    on_gpu = backend().name == "cuda"
    config = OptimizerConfig(
        optimizer="adam",
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        adam_beta1=settings.beta1,
        adam_beta2=settings.beta2,
        adam_eps=settings.epsilon,
        clip_grad=settings.clip_grad,
        bf16=narrow,
        params_dtype=torch.bfloat16 if narrow else torch.float32,
        use_distributed_optimizer=uses_distributed_optimizer(layout),
        overlap_param_gather=overlaps(layout) and uses_distributed_optimizer(layout),
        optimizer_cpu_offload=on_gpu and layout.offload_optimizer > 0,
        optimizer_offload_fraction=layout.offload_optimizer,
        overlap_cpu_optimizer_d2h_h2d=on_gpu and layout.offload_optimizer > 0,
    )
    undecayed = ParamWithNamePredicate(name="undecayed", fn=is_undecayed)
    overrides = {ParamKey(with_name_predicate=undecayed): {"wd_mult": 0.0}}
    built = get_megatron_optimizer(config, list(chunks), config_overrides=overrides)
    optimizer = EngineOptimizer(built.chained_optimizers)
    for part in optimizer.chained_optimizers:
        if type(part.optimizer) is torch.optim.AdamW:  # Apex's and Transformer Engine's are in one pass already
            for group in part.param_groups:
                group["fused"] = True
    return optimizer


def uses_distributed_optimizer(layout: Layout) -> bool:
    """Whether the optimizer's state is split over data-parallel ranks; a lone rank on a CPU has nothing to split."""
    ranks = parallel_state.get_data_parallel_world_size(with_context_parallel=True)
    return layout.distributed_optimizer and (ranks > 1 or backend().name == "cuda")


def overlaps(layout: Layout) -> bool:
    """Whether gradients and weights travel while the model computes."""
    return layout.overlap_communication and backend().name == "cuda"


def is_undecayed(parameter: torch.nn.Parameter, name: str) -> bool:
    return parameter.ndim == 1 or name.rsplit(".", 1)[-1] in _NEVER_DECAYED


def set_learning_rate(optimizer: EngineOptimizer, learning_rate: float, weight_decay: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["lr_mult"]
        group["weight_decay"] = weight_decay * group["wd_mult"]


def clipped_step(optimizer: EngineOptimizer) -> tuple[float, bool]:
    """The grad norm, and whether a step was taken: with a norm that isn't finite, weights and moments stay as they are.

    The norm is of all ranks' gradients, so all ranks decide alike.
    """
    optimizer.prepare_grads()
    norm = float(optimizer.get_grad_norm())
    if not math.isfinite(norm):
        return norm, False
    for part in optimizer.chained_optimizers:
        parameters: list[Any] = [] if part.is_stub_optimizer else part.get_parameters()
        if parameters:
            clip_grad_by_total_norm_fp32(parameters, max_norm=part.config.clip_grad, total_norm=norm)
    optimizer.step_with_ready_grads()
    return norm, True
