"""A Nemotron-H through megatron-core: hybrid.py MODEL.json SOURCE OUT loads SOURCE/weights and saves OUT/weights.

NeMo's configuration builds the model; its layers are megatron-core's plain ones under the names that fused ones have.
Nothing is computed: the kernels of mamba-ssm aren't there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from prism.nemo.training.environment import require_nemo

require_nemo()

from tests.nemo.environment.there.cpu import without_cuda  # noqa: E402


class GatedNorm(torch.nn.Module):
    """What mamba-ssm's has of a checkpoint."""

    def __init__(self, size: int, dtype: torch.dtype, **named: Any) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(size, dtype=dtype))


def stand_in_for_mamba() -> None:
    for name, held in {"layernorm_gated": ["RMSNorm"], "ssd_combined": _SCANS}.items():
        module = ModuleType(f"mamba_ssm.ops.triton.{name}")
        for one in held:
            setattr(module, one, GatedNorm)
        sys.modules[module.__name__] = module
    for name in ("mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.triton"):
        sys.modules[name] = ModuleType(name)


_SCANS = ["mamba_chunk_scan_combined", "mamba_split_conv1d_scan_combined"]

stand_in_for_mamba()
without_cuda()

import fiddle as fdl  # noqa: E402
from megatron.core import dist_checkpointing, parallel_state  # noqa: E402
from megatron.core.fusions.fused_bias_dropout import get_bias_dropout_add  # noqa: E402
from megatron.core.ssm import mamba_block  # noqa: E402
from megatron.core.ssm.mamba_layer import MambaLayer, MambaLayerSubmodules  # noqa: E402
from megatron.core.ssm.mamba_mixer import MambaMixer, MambaMixerSubmodules  # noqa: E402
from megatron.core.ssm.mlp_layer import MLPLayer  # noqa: E402
from megatron.core.tensor_parallel import ColumnParallelLinear, RowParallelLinear  # noqa: E402
from megatron.core.transformer.attention import SelfAttention, SelfAttentionSubmodules  # noqa: E402
from megatron.core.transformer.dot_product_attention import DotProductAttention  # noqa: E402
from megatron.core.transformer.enums import AttnMaskType  # noqa: E402
from megatron.core.transformer.mlp import MLP, MLPSubmodules  # noqa: E402
from megatron.core.transformer.spec_utils import ModuleSpec  # noqa: E402
from megatron.core.transformer.torch_norm import WrappedTorchNorm  # noqa: E402
from megatron.core.transformer.transformer_layer import TransformerLayer, TransformerLayerSubmodules  # noqa: E402

from prism.nemo.training.build import build  # noqa: E402
from prism.nemo.training.known_models import model_settings, nemo_model  # noqa: E402
from prism.nemo.training.values import NemoSettings  # noqa: E402
from prism.recipe import ModelConfig  # noqa: E402

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


def main() -> None:
    description, source, out = map(Path, sys.argv[1:])
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


if __name__ == "__main__":
    main()
