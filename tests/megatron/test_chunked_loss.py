"""The loss in chunks is the loss, and no tensor outgrows its chunk."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from prism.megatron.build import build_model
from prism.megatron.chunked_loss import token_losses
from prism.megatron.initialise import initialise
from prism.megatron.multipliers import LogitsRule
from prism.megatron.parallel import Layout
from prism.recipe import ModelConfig

SEQUENCE, BATCH, WIDTH, TOKENS, ROWS, CHUNK = 300, 2, 8, 1_000, 1_024, 32


class Largest(TorchDispatchMode):
    """Elements of the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for made in result if isinstance(result, tuple | list) else (result,):
            if isinstance(made, Tensor) and made._base is None:
                self.elements = max(self.elements, made.numel())
        return result


def inputs(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states, weight and labels of a model whose labels reach its last token."""
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(SEQUENCE, BATCH, WIDTH, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(ROWS, WIDTH, generator=generator).to(dtype).requires_grad_()
    labels = torch.randint(TOKENS, (BATCH, SEQUENCE), generator=generator)
    labels[0, 0] = TOKENS - 1
    return hidden, weight, labels


@pytest.mark.parametrize("chunk", [1, CHUNK, 10_000])
@pytest.mark.parametrize("scaling", [1.0, 8.0])
def test_losses_and_gradients_are_those_of_all_logits(chunk: int, scaling: float, alone: Layout) -> None:
    hidden, weight, labels = inputs(torch.float32)
    losses = token_losses(hidden, weight, labels, LogitsRule(scaling, TOKENS, ROWS), chunk, sequence_parallel=False)
    upstream = torch.rand(losses.shape, generator=torch.Generator().manual_seed(2))
    losses.backward(upstream)

    wide, rows = hidden.detach().double().requires_grad_(), weight.detach().double().requires_grad_()
    logits = (wide @ rows[:TOKENS].t()).div(scaling).permute(1, 2, 0)  # (batch, tokens, seq), as cross_entropy wants
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    expected.backward(upstream.double())
    torch.testing.assert_close(losses.double(), expected, atol=2e-5, rtol=2e-6)
    assert hidden.grad is not None and wide.grad is not None and weight.grad is not None and rows.grad is not None
    torch.testing.assert_close(hidden.grad.double(), wide.grad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(weight.grad.double(), rows.grad, atol=1e-4, rtol=1e-5)
    assert not weight.grad[TOKENS:].any()  # padding


def test_bf16_sums_the_weights_gradient_in_fp32(alone: Layout) -> None:
    grads = []
    for chunk in (1, 10_000):
        hidden, weight, labels = inputs(torch.bfloat16)
        token_losses(
            hidden, weight, labels, LogitsRule(1.0, TOKENS, ROWS), chunk, sequence_parallel=False
        ).sum().backward()
        assert weight.grad is not None
        assert weight.grad.dtype == torch.bfloat16
        grads.append(weight.grad.float())
    assert torch.linalg.vector_norm(grads[0] - grads[1]) < 5e-3 * torch.linalg.vector_norm(grads[1])


def test_no_tensor_is_larger_than_a_chunk_of_logits(alone: Layout) -> None:
    hidden, weight, labels = inputs(torch.float32)
    with Largest() as largest:
        losses = token_losses(hidden, weight, labels, LogitsRule(2.0, TOKENS, ROWS), CHUNK, sequence_parallel=False)
        losses.sum().backward()
    assert largest.elements == CHUNK * TOKENS
    assert largest.elements < SEQUENCE * BATCH * TOKENS / 15


def test_a_model_keeps_its_logits_within_the_chunk(model: ModelConfig, alone: Layout) -> None:
    tied = model.model_copy(update={"tie_embeddings": True, "logits_scaling": 4.0})
    vocabulary, length = 4_000, 96
    tokens = torch.randint(vocabulary, (2, length + 1), generator=torch.Generator().manual_seed(3))
    positions = torch.arange(length).expand(2, length)
    found, largest = [], []
    for chunk in (None, 24):
        module: Any = build_model(tied, vocabulary, Layout(loss_chunk_tokens=chunk), "fp32")
        initialise(module, tied, 5)
        with Largest() as made:
            losses = module(tokens[:, :-1], positions, None, labels=tokens[:, 1:].contiguous())
            losses.mean().backward()
        found.append((losses.detach(), module.embedding.word_embeddings.weight.grad))
        largest.append(made.elements)
    for whole, chunked in zip(*found, strict=True):
        torch.testing.assert_close(chunked, whole, atol=1e-6, rtol=1e-5)
    assert largest[0] >= 2 * length * vocabulary
    assert largest[1] < largest[0] / 1.4  # what is left is the weight and its gradient
