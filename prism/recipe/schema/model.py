"""`model`: the architecture."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prism.recipe.schema.base import Section


class MambaConfig(Section):
    """Mamba-2 mixers of a hybrid model."""

    inner_size: int = Field(gt=0, description="Width inside the mixer; heads x head_dim.")
    state_dim: int = Field(128, gt=0, description="State size of each head.")
    head_dim: int = Field(64, gt=0, description="Width of a head.")
    num_groups: int = Field(8, gt=0, description="Groups of heads that share B and C.")
    conv_kernel: int = Field(4, gt=0, description="Positions that the causal convolution sees.")
    chunk_size: int = Field(256, gt=0, description="Positions that the chunked scan handles at once.")


class InitialisationConfig(Section):
    """Random weights of a model that is trained from scratch."""

    embedding_std: float = Field(0.02, gt=0, description="Standard deviation of the token embeddings.")
    output_std: float = Field(0.02, gt=0, description="Standard deviation of the output layer.")
    scale: Literal["fan_in"] | float = Field(
        "fan_in", description="Standard deviation of the other matrices: fan_in^-0.5, or a fixed number."
    )


class RopeScalingConfig(Section):
    """LLaMA 3's stretch of RoPE: low frequencies are divided, high ones kept, those between blended."""

    factor: float = Field(8.0, gt=0, description="What low frequencies are divided by.")
    low_frequency_factor: float = Field(1.0, gt=0, description="Waves longer than the context over this are divided.")
    high_frequency_factor: float = Field(4.0, gt=0, description="Waves shorter than the context over this are kept.")
    original_context: int = Field(8_192, gt=0, description="Tokens of context before the stretch.")


class ModelConfig(Section):
    """A decoder-only language model: dense, or a hybrid of Mamba-2, attention and MLP layers."""

    family: Literal["llama", "mistral", "granite", "granite_moe_hybrid", "nemotron_h"] = Field(
        "llama", description="Which folder of prism/models it belongs to."
    )
    num_layers: int = Field(gt=0, description="Layers; in a hybrid each character of the pattern is one.")
    hidden_size: int = Field(gt=0, description="Width of the residual stream.")
    num_attention_heads: int = Field(gt=0, description="Query heads.")
    num_query_groups: int | None = Field(None, gt=0, description="Key-value heads; null means as many as query heads.")
    head_dim: int | None = Field(None, gt=0, description="Width of a head; null means hidden_size / heads.")
    ffn_hidden_size: int = Field(gt=0, description="Inner width of the MLP.")
    activation: Literal["swiglu", "squared_relu"] = Field("swiglu", description="MLP activation; swiglu is gated.")
    norm_epsilon: float = Field(1e-5, gt=0, description="Epsilon of RMSNorm.")
    rope_base: float | None = Field(10_000.0, gt=0, description="Base of RoPE; null means no position embedding.")
    rope_scaling: RopeScalingConfig | None = Field(None, description="Stretch of RoPE's frequencies; null means none.")
    sliding_window: int | None = Field(
        None, gt=0, description="Positions that attention sees, the current one counted; null means all."
    )
    embedding_multiplier: float = Field(1.0, gt=0, description="Token embeddings are multiplied by it (Granite).")
    residual_multiplier: float = Field(
        1.0, gt=0, description="What a sublayer adds to the residual stream is multiplied by it (Granite)."
    )
    attention_multiplier: float | None = Field(
        None, gt=0, description="Scale of attention scores; null means head_dim^-0.5."
    )
    logits_scaling: float = Field(1.0, gt=0, description="Logits are divided by it (Granite).")
    max_position_embeddings: int = Field(8_192, gt=0, description="Longest sequence, in tokens.")
    tie_embeddings: bool = Field(False, description="Share token embeddings and output layer.")
    vocab_size: int | None = Field(None, gt=0, description="Tokens; null takes the tokenizer's.")
    hybrid_pattern: str | None = Field(
        None, description="One character a layer: M Mamba-2, * attention, - MLP; null means dense."
    )
    mamba: MambaConfig | None = Field(None, description="Mamba-2 mixers; needed with hybrid_pattern.")
    initialisation: InitialisationConfig = Field(
        default_factory=InitialisationConfig, description="Random weights where a stage starts from scratch."
    )
