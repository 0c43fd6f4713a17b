"""Nemotron-H in megatron-core's plain layers, under the names that fused ones have. NeMo's configuration builds it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fiddle as fdl
import torch
from megatron.core import dist_checkpointing, parallel_state
from megatron.core.fusions.fused_bias_dropout import get_bias_dropout_add
from megatron.core.ssm import mamba_block
from megatron.core.ssm.mamba_layer import MambaLayer, MambaLayerSubmodules
from megatron.core.ssm.mamba_mixer import MambaMixer, MambaMixerSubmodules
from megatron.core.ssm.mlp_layer import MLPLayer
from megatron.core.tensor_parallel import ColumnParallelLinear, RowParallelLinear
from megatron.core.transformer.attention import SelfAttention, SelfAttentionSubmodules
from megatron.core.transformer.dot_product_attention import DotProductAttention
from megatron.core.transformer.enums import AttnMaskType
from megatron.core.transformer.mlp import MLP, MLPSubmodules
from megatron.core.transformer.spec_utils import ModuleSpec
from megatron.core.transformer.torch_norm import WrappedTorchNorm
from megatron.core.transformer.transformer_layer import TransformerLayer, TransformerLayerSubmodules

from prism.nemo.training.build import build
from prism.nemo.training.known_models import model_settings, nemo_model
from prism.nemo.training.values import NemoSettings
from prism.recipe import ModelConfig

LENGTH = 32


def plain_stack() -> Any:
    mixer = MambaMixerSubmodules(in_proj=ColumnParallelLinear, out_proj=RowParallelLinear)
    attention = SelfAttentionSubmodules(
        linear_qkv=ColumnParallelLinear, core_attention=DotProductAttention, linear_proj=RowParallelLinear
    )
    mlp = MLPSubmodules(linear_fc1=ColumnParallelLinear, linear_fc2=RowParallelLinear)
    return ModuleSpec(
        module=mamba_block.MambaStack,
        submodules=mamba_block.MambaStackSubmodules(
            mamba_layer=ModuleSpec(
                module=MambaLayer,
                submodules=MambaLayerSubmodules(
                    norm=WrappedTorchNorm,
                    mixer=ModuleSpec(module=MambaMixer, submodules=mixer),
                    mamba_bda=get_bias_dropout_add,
                    sharded_state_dict_keys_map={"norm.": "mixer.in_proj.layer_norm_"},
                ),
            ),
            attention_layer=ModuleSpec(
                module=TransformerLayer,
                submodules=TransformerLayerSubmodules(
                    input_layernorm=WrappedTorchNorm,
                    self_attention=ModuleSpec(
                        module=SelfAttention, params={"attn_mask_type": AttnMaskType.causal}, submodules=attention
                    ),
                    self_attn_bda=get_bias_dropout_add,
                    sharded_state_dict_keys_map={"input_layernorm.": "self_attention.linear_qkv.layer_norm_"},
                ),
            ),
            mlp_layer=ModuleSpec(
                module=MLPLayer,
                submodules=TransformerLayerSubmodules(
                    pre_mlp_layernorm=WrappedTorchNorm,
                    mlp=ModuleSpec(module=MLP, submodules=mlp),
                    mlp_bda=get_bias_dropout_add,
                    sharded_state_dict_keys_map={"pre_mlp_layernorm.": "mlp.linear_fc1.layer_norm_"},
                ),
            ),
        ),
    )


def configured(model: ModelConfig, ranks: int) -> Any:
    assert model.vocab_size is not None
    settings = list(model_settings(model, model.vocab_size, LENGTH))
    config = build(NemoSettings(nemo_model(model).recipe, "log", "/tmp", 1, ranks, settings)).model.config
    config.mamba_stack_spec = plain_stack
    config.tensor_model_parallel_size = ranks
    config.params_dtype, config.bf16, config.use_cpu_initialization = torch.float32, False, True
    for name in ("gradient_accumulation", "masked_softmax", "bias_dropout", "apply_rope"):
        setattr(config, f"{name}_fusion", False)
    config.persist_layer_norm = False
    return fdl.build(config)


def round_trip(description: Path, source: Path, out: Path) -> None:
    """Loads `source`/weights into the model at TP 2, and saves `out`/weights of it."""
    torch.distributed.init_process_group("gloo")
    ranks = torch.distributed.get_world_size()
    parallel_state.initialize_model_parallel(ranks)
    mamba_block.TENorm = WrappedTorchNorm
    model = ModelConfig.model_validate_json(description.read_text())
    built = configured(model, ranks).configure_model(SimpleNamespace(vocab_size=model.vocab_size))
    wanted = built.sharded_state_dict(prefix="module.")
    loaded = dist_checkpointing.load(wanted, str(source / "weights"), strict="log_all")  # as our settings have it
    left = built.load_state_dict({key.removeprefix("module."): value for key, value in loaded.items()}, strict=False)
    assert [key for key in left.missing_keys if "_extra_state" not in key] == left.unexpected_keys == []
    if torch.distributed.get_rank() == 0:
        (out / "weights").mkdir(parents=True)
    torch.distributed.barrier()
    dist_checkpointing.save(built.sharded_state_dict(prefix="module."), str(out / "weights"))
