"""The peer: the miniature's dense model as a plain PyTorch module, trained and decoded without any engine."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Sizes:
    """Sizes of a dense model; by default the miniature's, 0.8M parameters."""

    layers: int = 4
    hidden: int = 128
    heads: int = 4
    inner: int = 336


class Block(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        hidden, inner = sizes.hidden, sizes.inner
        self.heads, self.hidden = sizes.heads, hidden
        self.first, self.second = nn.RMSNorm(hidden), nn.RMSNorm(hidden)
        self.qkv = nn.Linear(hidden, 3 * hidden, bias=False)
        self.out = nn.Linear(hidden, hidden, bias=False)
        self.gate_up = nn.Linear(hidden, 2 * inner, bias=False)
        self.down = nn.Linear(inner, hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: tuple[Tensor, Tensor] | None, start: int) -> Tensor:
        batch, length, _ = x.shape
        q, k, v = self.qkv(self.first(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            keys, values = cache
            keys[:, :, start : start + length], values[:, :, start : start + length] = k, v
            k, v = keys[:, :, : start + length], values[:, :, : start + length]
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, length, self.hidden))
        gate, up = self.gate_up(self.second(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class PlainModel(nn.Module):
    """LLaMA-like. Tokens (batch, length) -> logits (batch, length, vocabulary)."""

    def __init__(self, vocabulary: int, context: int = 128, sizes: Sizes = Sizes()) -> None:
        super().__init__()
        self.sizes = sizes
        self.embedding = nn.Embedding(vocabulary, sizes.hidden)
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.layers))
        self.norm = nn.RMSNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, vocabulary, bias=False)
        half = sizes.hidden // sizes.heads // 2
        angles = torch.outer(torch.arange(context).float(), 10_000.0 ** -(torch.arange(half) / half))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, tokens: Tensor, caches: list[tuple[Tensor, Tensor]] | None = None, start: int = 0) -> Tensor:
        rows = slice(start, start + tokens.shape[1])
        x = self.embedding(tokens)
        for index, block in enumerate(self.blocks):
            x = block(x, self.cos[rows], self.sin[rows], caches[index] if caches else None, start)
        return self.head(self.norm(x[:, -1:] if caches else x))

    @torch.inference_mode()
    def generate(self, prompts: Tensor, new: int) -> Tensor:
        """Samples `new` tokens after prompts of one length, with a key-value cache."""
        batch, width = prompts.shape
        heads = self.sizes.heads
        shape = (batch, heads, width + new, self.sizes.hidden // heads)
        caches = [(torch.zeros(shape), torch.zeros(shape)) for _ in self.blocks]
        tokens, drawn = prompts, []
        for step in range(new):
            logits = self(tokens, caches, 0 if step == 0 else width + step - 1)[:, -1]
            tokens = torch.multinomial(logits.softmax(-1), 1)
            drawn.append(tokens)
        return torch.cat(drawn, 1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)
