"""The peer: the miniature's dense model as a plain PyTorch module, trained and decoded without any engine."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYERS, HIDDEN, HEADS, INNER = 4, 128, 4, 336


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.RMSNorm(HIDDEN), nn.RMSNorm(HIDDEN)
        self.qkv = nn.Linear(HIDDEN, 3 * HIDDEN, bias=False)
        self.out = nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.gate_up = nn.Linear(HIDDEN, 2 * INNER, bias=False)
        self.down = nn.Linear(INNER, HIDDEN, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: tuple[Tensor, Tensor] | None, start: int) -> Tensor:
        batch, length, _ = x.shape
        q, k, v = self.qkv(self.first(x)).view(batch, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            keys, values = cache
            keys[:, :, start : start + length], values[:, :, start : start + length] = k, v
            k, v = keys[:, :, : start + length], values[:, :, : start + length]
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, length, HIDDEN))
        gate, up = self.gate_up(self.second(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class PlainModel(nn.Module):
    """LLaMA-like, 0.8M parameters. Tokens (batch, length) -> logits (batch, length, vocabulary)."""

    def __init__(self, vocabulary: int, context: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, HIDDEN)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.RMSNorm(HIDDEN)
        self.head = nn.Linear(HIDDEN, vocabulary, bias=False)
        half = HIDDEN // HEADS // 2
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
        shape = (batch, HEADS, width + new, HIDDEN // HEADS)
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
