"""Hybrid models: Mamba-2, attention and MLP layers in a pattern, each with its own norm and residual.

megatron-core ships only a Transformer Engine layer spec, a final norm fixed to Transformer Engine's, and a
forward pass tied to its own inference contexts; these three are replaced, the rest is `MambaModel`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from megatron.core import parallel_state
from megatron.core.fp8_utils import get_fp8_context
from megatron.core.models.mamba.mamba_model import MambaModel
from megatron.core.ssm.mamba_block import MambaStack, MambaStackSubmodules
from megatron.core.ssm.mamba_layer import MambaLayer, MambaLayerSubmodules
from megatron.core.ssm.mlp_layer import MLPLayer
from megatron.core.tensor_parallel.random import checkpoint
from megatron.core.transformer.spec_utils import ModuleSpec
from megatron.core.transformer.transformer_config import TransformerConfig
from megatron.core.transformer.transformer_layer import TransformerLayer, TransformerLayerSubmodules
from megatron.core.utils import WrappedTensor, make_viewless_tensor
from torch import Tensor

from prism.errors import RecipeError
from prism.megatron.build import attention_spec
from prism.megatron.chunked_loss import LossInChunks
from prism.megatron.decode import DecodeContext
from prism.megatron.mamba import MambaMixer
from prism.megatron.mlp import PrismMLP
from prism.megatron.multipliers import residual_add
from prism.megatron.norm import TorchRMSNorm

if TYPE_CHECKING:
    from prism.recipe import ModelConfig
    from prism.recipe.schema.model import MambaConfig


class HybridModel(LossInChunks, MambaModel):
    """megatron-core's hybrid with a loss that needs no more logits at once than it is told."""


class HybridStack(MambaStack):
    """This pipeline stage's layers of the pattern, and after the last stage's a torch RMSNorm."""

    def __init__(self, config: TransformerConfig, submodules: MambaStackSubmodules, **kwargs: Any) -> None:
        super().__init__(config, submodules, post_layer_norm=False, **kwargs)
        if self.post_process:
            self.final_norm = TorchRMSNorm(config, config.hidden_size, config.layernorm_epsilon)

    def forward(
        self,
        hidden_states: Tensor | WrappedTensor | None,
        attention_mask: Tensor | None,
        inference_context: DecodeContext | None = None,
        rotary_pos_emb: Tensor | None = None,
        *,
        packed_seq_params: Any = None,
        **_: Any,
    ) -> Tensor:
        """(seq, batch, hidden) -> (seq, batch, hidden); later stages read what `set_input_tensor` was given."""
        if not self.pre_process:
            hidden_states = self.input_tensor
        if isinstance(hidden_states, WrappedTensor):
            hidden_states = hidden_states.unwrap()
        assert hidden_states is not None  # the first stage was given the embedding, later ones their input
        recomputed = self._recomputed_layers()
        for number, layer in enumerate(self.layers):
            run = partial(
                _run_layer,
                layer,
                attention_mask=attention_mask,
                inference_context=inference_context,
                rotary_pos_emb=rotary_pos_emb,
                packed_seq_params=packed_seq_params,
            )
            hidden_states = checkpoint(run, False, hidden_states) if number < recomputed else run(hidden_states)
        if self.post_process:
            hidden_states = self.final_norm(hidden_states)
        output: Tensor = make_viewless_tensor(hidden_states, hidden_states.requires_grad, keep_graph=True)
        return output

    def _recomputed_layers(self) -> int:
        """How many of the first layers the backward pass runs again."""
        if self.config.recompute_granularity != "full" or not self.training:
            return 0
        return len(self.layers) if self.config.recompute_method == "uniform" else self.config.recompute_num_layers


def _run_layer(layer: Any, hidden_states: Tensor, **arguments: Any) -> Tensor:
    with get_fp8_context(layer.config, layer.layer_number - 1):
        output = layer(hidden_states=hidden_states, **arguments)
    # A transformer layer also returns cross attention's context.
    hidden: Tensor = output[0] if isinstance(output, tuple) else output
    return hidden


def build_hybrid(
    config: TransformerConfig, model: ModelConfig, *, vocab_size: int, pre_process: bool, post_process: bool
) -> HybridModel:
    """This rank's chunk of the hybrid that `model` describes.

    Args:
        vocab_size: rows of the embedding, padding included.
        pre_process, post_process: whether this pipeline stage holds the embedding, the output layer.

    Raises:
        RecipeError: pattern and Mamba section don't fit the model or the layout.
    """
    pattern, mamba = model.hybrid_pattern, model.mamba
    if pattern is None or mamba is None or len(pattern) != model.num_layers or set(pattern) - set("M*-"):
        raise RecipeError(
            f"pattern {pattern!r} doesn't describe {model.num_layers} layers of Mamba-2 (M), attention (*), MLP (-)",
            place="model.hybrid_pattern",
            remedy="give one character a layer and a `mamba` section",
        )
    stages = parallel_state.get_pipeline_model_parallel_world_size()
    if len(pattern) % stages:
        raise RecipeError(
            f"{len(pattern)} layers can't be split evenly over {stages} pipeline stages",
            place="cluster.pipeline_parallel",
            remedy="use a size that divides the number of layers",
        )
    return HybridModel(
        config=config,
        mamba_stack_spec=_stack_spec(config, model, mamba),
        vocab_size=vocab_size,
        max_sequence_length=model.max_position_embeddings,
        hybrid_override_pattern=pattern,
        pre_process=pre_process,
        post_process=post_process,
        share_embeddings_and_output_weights=model.tie_embeddings,
        position_embedding_type="rope" if model.rope_base else "none",
        rotary_base=int(model.rope_base or 10_000),
    )


def _stack_spec(config: TransformerConfig, model: ModelConfig, mamba: MambaConfig) -> ModuleSpec:
    add = residual_add(model)
    mixer = {"chunk_size": mamba.chunk_size, "conv_kernel": mamba.conv_kernel}
    return ModuleSpec(
        module=HybridStack,
        submodules=MambaStackSubmodules(
            mamba_layer=ModuleSpec(
                module=MambaLayer,
                submodules=MambaLayerSubmodules(
                    norm=ModuleSpec(module=TorchRMSNorm, params={"eps": config.layernorm_epsilon}),
                    mixer=ModuleSpec(module=MambaMixer, params=mixer),
                    mamba_bda=add,
                ),
            ),
            attention_layer=ModuleSpec(
                module=TransformerLayer,
                submodules=TransformerLayerSubmodules(
                    input_layernorm=TorchRMSNorm,
                    self_attention=attention_spec(config),
                    self_attn_bda=add,
                ),
            ),
            mlp_layer=ModuleSpec(
                module=MLPLayer,
                submodules=TransformerLayerSubmodules(pre_mlp_layernorm=TorchRMSNorm, mlp=PrismMLP, mlp_bda=add),
            ),
        ),
    )
