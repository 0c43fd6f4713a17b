"""FLOPs that a model's arithmetic needs for a token, whatever computes it: the numerator of MFU.

A multiplication and its addition are two. Forward, a token:

| part | FLOPs |
|---|---|
| matrices (projections, MLP, output layer) | 2 x their parameters |
| attention scores and their sum over values | 4 x heads x head_dim x pairs, in every attention layer |
| Mamba-2's scan | 2 x (2 x inner x state + (inner + groups x state) x chunk / 2), in every Mamba layer |

`pairs` is how many positions a token sees on average: half of a sequence, since attention is causal. Inside a chunk
the scan is causal attention too, with `groups` score matrices; states are made once and read once. A backward pass
costs twice as much as forward, half of it for the gradients of weights; what is recomputed doesn't count. Looking up
an embedding, norms, the short convolution and element-wise work don't count.

Sources: Chowdhery et al. (2022), "PaLM", appendix B, there without the causal half; Dao and Gu (2024), "Transformers
are SSMs", section 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prism.recipe import MambaConfig, ModelConfig


@dataclass(frozen=True)
class TokenFlops:
    """Forward FLOPs of a token. `of_pair`: of each position that it sees, over all attention layers."""

    attention_matrices: float
    other_matrices: float
    of_pair: float
    scan: float

    def forward(self, pairs: float) -> float:
        """Of a token that sees `pairs` positions."""
        return self.attention_matrices + self.other_matrices + self.of_pair * pairs + self.scan

    def training(self, pairs: float, *, attention_only: bool = False) -> float:
        """Forward and backward; with `attention_only` the other matrices are frozen and need no gradient."""
        frozen = self.other_matrices if attention_only else 0.0
        return 3 * self.forward(pairs) - frozen


def token_flops(model: ModelConfig, vocab_size: int, length: int) -> TokenFlops:
    """Of the whole model, on however many devices it lies. `length`: tokens of a sequence."""
    layers = model.hybrid_pattern or "*-" * model.num_layers
    head_dim = model.head_dim or model.hidden_size // model.num_attention_heads
    query = model.num_attention_heads * head_dim
    key_value = (model.num_query_groups or model.num_attention_heads) * head_dim
    attention = model.hidden_size * (2 * query + 2 * key_value)
    mlp = model.hidden_size * model.ffn_hidden_size * (3 if model.activation == "swiglu" else 2)
    mamba, scan = (0, 0.0) if model.mamba is None else _mamba(model.mamba, model.hidden_size, length)
    other = layers.count("-") * mlp + layers.count("M") * mamba + vocab_size * model.hidden_size
    return TokenFlops(
        attention_matrices=2.0 * layers.count("*") * attention,
        other_matrices=2.0 * other,
        of_pair=4.0 * layers.count("*") * query,
        scan=layers.count("M") * scan,
    )


def pairs_seen(length: int, window: int | None) -> float:
    """Positions that a token of a sequence of `length` sees on average, `window` at most."""
    reach = min(length, window or length)
    return reach - reach * reach / (2 * length)


def _mamba(mamba: MambaConfig, hidden: int, length: int) -> tuple[int, float]:
    """Parameters of a mixer's matrices, and its scan's FLOPs for a token."""
    inner, groups = mamba.inner_size, mamba.num_groups * mamba.state_dim
    heads = inner // mamba.head_dim
    matrices = hidden * (2 * inner + 2 * groups + heads) + inner * hidden
    chunk = min(mamba.chunk_size, length)
    return matrices, 2.0 * (2 * inner * mamba.state_dim + (inner + groups) * chunk / 2)
