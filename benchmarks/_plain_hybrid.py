"""The miniature's hybrid as a plain PyTorch module that decodes a token at a time: the floor for cached decoding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PATTERN = "M-M*-M-"
HIDDEN, INNER, STATE, HEADS, HEAD_DIM, KERNEL, MLP, ATTENTION_HEADS = 128, 256, 32, 8, 32, 4, 512, 4
CHANNELS = INNER + 2 * STATE


class Mamba(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(HIDDEN, INNER + CHANNELS + HEADS, bias=False)
        self.out = nn.Linear(INNER, HIDDEN, bias=False)
        self.conv = nn.Parameter(torch.randn(CHANNELS, KERNEL) / KERNEL)
        self.bias, self.dt_bias = nn.Parameter(torch.zeros(CHANNELS)), nn.Parameter(torch.zeros(HEADS))
        self.log_rate, self.skip = nn.Parameter(torch.zeros(HEADS)), nn.Parameter(torch.ones(HEADS))
        self.norm = nn.RMSNorm(INNER)

    def begin(self, batch: int, capacity: int) -> tuple[Tensor, Tensor]:
        return torch.zeros(batch, CHANNELS, KERNEL), torch.zeros(batch, HEADS, HEAD_DIM, STATE)

    def forward(self, x: Tensor, memory: tuple[Tensor, Tensor], position: int) -> Tensor:
        window, state = memory
        z, xbc, dt = self.into(x).split([INNER, CHANNELS, HEADS], -1)
        window.copy_(torch.cat([window[..., 1:], xbc[..., None]], -1))
        v, b, c = F.silu((window * self.conv).sum(-1) + self.bias).split([INNER, STATE, STATE], -1)
        v, dt = v.view(-1, HEADS, HEAD_DIM), F.softplus(dt + self.dt_bias)
        state.mul_(torch.exp(-dt * self.log_rate.exp())[..., None, None])
        state.add_((v * dt[..., None])[..., None] * b[:, None, None])
        y = (state @ c[:, None, :, None]).squeeze(-1) + v * self.skip[:, None]
        return self.out(self.norm(y.flatten(1) * F.silu(z)))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(HIDDEN, 3 * HIDDEN, bias=False), nn.Linear(HIDDEN, HIDDEN, bias=False)

    def begin(self, batch: int, capacity: int) -> tuple[Tensor, Tensor]:
        shape = (batch, ATTENTION_HEADS, capacity, HIDDEN // ATTENTION_HEADS)
        return torch.zeros(shape), torch.zeros(shape)

    def forward(self, x: Tensor, memory: tuple[Tensor, Tensor], position: int) -> Tensor:
        q, k, v = self.qkv(x).view(len(x), 3, ATTENTION_HEADS, -1).unbind(1)
        keys, values = memory
        keys[:, :, position], values[:, :, position] = k, v
        seen = F.scaled_dot_product_attention(q[:, :, None], keys[:, :, : position + 1], values[:, :, : position + 1])
        return self.out(seen.flatten(1))


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(HIDDEN, MLP, bias=False), nn.Linear(MLP, HIDDEN, bias=False)

    def begin(self, batch: int, capacity: int) -> None:
        return None

    def forward(self, x: Tensor, memory: None, position: int) -> Tensor:
        return self.down(F.relu(self.up(x)).square())


class PlainHybrid(nn.Module):
    """Tokens (batch,) -> logits (batch, vocabulary), one position at a time."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        kinds = {"M": Mamba, "*": Attention, "-": Mlp}
        self.embedding, self.head = nn.Embedding(vocabulary, HIDDEN), nn.Linear(HIDDEN, vocabulary, bias=False)
        self.layers = nn.ModuleList(kinds[kind]() for kind in PATTERN)
        self.norms = nn.ModuleList(nn.RMSNorm(HIDDEN) for _ in PATTERN)
        self.norm = nn.RMSNorm(HIDDEN)

    @torch.inference_mode()
    def generate(self, prompts: Tensor, new: int) -> Tensor:
        """Samples `new` tokens after prompts of one length. The prompt goes in token by token, not counted as new."""
        batch, width = prompts.shape
        memories = [layer.begin(batch, width + new) for layer in self.layers]
        drawn: list[Tensor] = []
        for position in range(width + new - 1):
            tokens = prompts[:, position] if position < width else drawn[-1]
            x = self.embedding(tokens)
            for norm, layer, memory in zip(self.norms, self.layers, memories, strict=True):
                x = x + layer(norm(x), memory, position)
            if position >= width - 1:
                logits = self.head(self.norm(x))
                drawn.append(torch.multinomial(logits.softmax(-1), 1).squeeze(1))
        return torch.stack(drawn, 1)
