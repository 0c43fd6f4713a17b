"""AdamW through megatron-core: parameter groups, gradient clipping, learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from megatron.core.optimizer import MegatronOptimizer, OptimizerConfig, get_megatron_optimizer
from megatron.core.optimizer.optimizer_config import ParamKey, ParamWithNamePredicate

from prism.megatron.backend import backend

if TYPE_CHECKING:
    from megatron.core.distributed import DistributedDataParallel

    from prism.recipe import OptimizerConfig as OptimizerSettings

_NEVER_DECAYED = ("A_log", "dt_bias", "D", "bias")


def build_optimizer(chunk: DistributedDataParallel, settings: OptimizerSettings, precision: str) -> MegatronOptimizer:
    """AdamW over the trainable parameters; norms, biases and Mamba's A, dt, D are not decayed."""
    config = OptimizerConfig(
        optimizer="adam",
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        adam_beta1=settings.beta1,
        adam_beta2=settings.beta2,
        adam_eps=settings.epsilon,
        clip_grad=settings.clip_grad,
        bf16=precision == "bf16",
        params_dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
        use_distributed_optimizer=uses_distributed_optimizer(),
    )
    undecayed = ParamWithNamePredicate(name="undecayed", fn=_is_undecayed)
    overrides = {ParamKey(with_name_predicate=undecayed): {"wd_mult": 0.0}}
    optimizer = get_megatron_optimizer(config, [chunk], config_overrides=overrides)
    if backend().name == "cpu":
        for group in optimizer.param_groups:
            group["fused"] = True  # torch's one-pass AdamW; CUDA has Apex's or Transformer Engine's
    return optimizer


def uses_distributed_optimizer() -> bool:
    """The optimizer's state is split over data-parallel ranks on GPUs; on a CPU each rank keeps its own."""
    return backend().name == "cuda"


def _is_undecayed(parameter: torch.nn.Parameter, name: str) -> bool:
    return parameter.ndim == 1 or name.rsplit(".", 1)[-1] in _NEVER_DECAYED


def set_learning_rate(optimizer: MegatronOptimizer, learning_rate: float, weight_decay: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["lr_mult"]
        group["weight_decay"] = weight_decay * group["wd_mult"]
