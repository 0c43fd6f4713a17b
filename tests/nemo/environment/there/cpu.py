"""NeMo on a CPU, for plumbing alone: CUDA calls do nothing, the model's layers are megatron-core's own.

What runs this way shows that settings, data and checkpoints fit together. It says nothing of speed, of fused kernels
or of anything else on a GPU.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import torch


class _Stream:
    """Everything a stream or an event is asked for, without effect."""

    device = torch.device("cpu")

    def __init__(self, *values: Any, **named: Any) -> None: ...

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *values: Any) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return lambda *values, **named: None


def without_cuda() -> None:
    """Replaces what NeMo and megatron-core call unasked; tensors meant for a GPU stay where they are."""
    cuda: Any = torch.cuda
    cuda.Stream = cuda.Event = _Stream
    cuda.stream = lambda stream=None: contextlib.nullcontext()
    cuda.current_stream = cuda.default_stream = lambda *values, **named: _Stream()
    cuda.current_device = lambda: torch.device("cpu")
    cuda.get_device_capability = lambda *values: (9, 0)
    cuda.get_rng_state, cuda.set_rng_state = lambda *values: torch.get_rng_state(), lambda state, *values: None
    for name in ("synchronize", "set_device", "empty_cache", "manual_seed", "manual_seed_all"):
        setattr(cuda, name, lambda *values, **named: None)
    for name in ("max_memory_allocated", "memory_allocated", "reset_peak_memory_stats", "max_memory_reserved"):
        setattr(cuda, name, lambda *values, **named: 0)
    types = {
        "Float": torch.float32,
        "Long": torch.int64,
        "Int": torch.int32,
        "Byte": torch.uint8,
        "Double": torch.float64,
    }
    for name, dtype in types.items():
        setattr(cuda, f"{name}Tensor", functools.partial(torch.tensor, dtype=dtype))
    for name in ("zeros", "ones", "empty", "full", "tensor", "arange", "rand", "randn", "as_tensor"):
        setattr(torch, name, _on_cpu(getattr(torch, name)))
    tensor: Any = torch.Tensor
    tensor.cuda = torch.nn.Module.cuda = tensor.pin_memory = lambda self, *values, **named: self  # type: ignore[method-assign]
    tensor.to = _on_cpu(torch.Tensor.to)
    plain = torch.Tensor.type
    tensor.type = lambda self, *values, **named: (  # megatron-core clips gradients of CUDA's types alone
        plain(self, *values, **named) if values or named else plain(self).replace("torch.", "torch.cuda.", 1)
    )
    from megatron.core.tensor_parallel import random

    random.CudaRNGStatesTracker.fork = lambda self, name="": contextlib.nullcontext()
    _without_modelopt()
    _without_timers()


def _without_timers() -> None:
    """The first rank alone gathers an empty tensor of times to print: nothing to NCCL, a lost collective to gloo."""
    from nemo.lightning.pytorch.callbacks.progress_printer import ProgressPrinter

    ProgressPrinter.log_megatron_timers = lambda self, timers: None


def _without_modelopt() -> None:
    """NeMo asks it whether a checkpoint is quantised: none is. What was loaded stays on the CPU."""
    from nemo.collections.llm.modelopt import model_utils
    from nemo.lightning.io import pl

    pl._fix_tensors_device = lambda checkpoint: checkpoint
    model_utils.mto.ModeloptStateManager.is_converted = lambda model: False
    model_utils.mto.plugins.restore_sharded_modelopt_state = lambda *values, **named: None


def _on_cpu(function: Any) -> Any:
    @functools.wraps(function)
    def call(*values: Any, **named: Any) -> Any:
        named.pop("pin_memory", None)
        if "cuda" in str(named.get("device", "")):
            named["device"] = "cpu"
        moved = ("cpu" if isinstance(value, str | torch.device) and "cuda" in str(value) else value for value in values)
        return function(*moved, **named)

    return call


def local_layers(config: Any) -> Any:
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec

    return get_gpt_layer_local_spec(normalization=config.normalization)


def forward_step(model: Any, batch: Any) -> Any:
    """Without Transformer Engine attention wants its mask; True is what a position doesn't see."""
    length = batch["tokens"].shape[1]
    mask = torch.triu(torch.ones(1, 1, length, length), 1) > 0.5
    return model(
        input_ids=batch["tokens"], position_ids=batch["position_ids"], labels=batch["labels"], attention_mask=mask
    )


def for_cpu(recipe: Any) -> None:
    """What differs from a run on GPUs; everything else of the recipe stays as it was mapped."""
    config, strategy = recipe.model.config, recipe.trainer.strategy
    config.transformer_layer_spec = local_layers
    config.forward_step_fn = forward_step
    config.use_cpu_initialization = True
    for name in (
        "gradient_accumulation_fusion",
        "masked_softmax_fusion",
        "bias_dropout_fusion",
        "bias_activation_fusion",
        "persist_layer_norm",
        "apply_rope_fusion",
        "cross_entropy_loss_fusion",
    ):
        setattr(config, name, False)
    recipe.trainer.accelerator = "cpu"
    strategy.gradient_accumulation_fusion = False
    strategy.process_group_backend = "gloo"
    strategy.ddp.average_in_collective = False
    recipe.trainer.callbacks = [one for one in recipe.trainer.callbacks if "TimingCallback" not in str(one)]
    recipe.data.num_workers = 0
    recipe.data.pin_memory = False
