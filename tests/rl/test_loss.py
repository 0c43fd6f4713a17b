import math

import pytest
import torch

from prism.rl.loss import grpo_token_loss, token_weights

SETTINGS = {"clip_low": 0.2, "clip_high": 0.28, "importance_cap": 2.0, "kl_coefficient": 0.05}


def one_token(new: float, old: float, generated: float, reference: float, advantage: float) -> float:
    """The paper's formula for one token, written out in Python floats."""
    ratio = math.exp(new - old)
    clipped = min(max(ratio, 0.8), 1.28)
    surrogate = min(ratio * advantage, clipped * advantage)
    importance = min(math.exp(old - generated), 2.0)
    difference = reference - new
    kl = math.exp(difference) - difference - 1
    return -(importance * surrogate - 0.05 * kl)


def test_loss_is_the_papers_formula_token_by_token() -> None:
    generator = torch.Generator().manual_seed(1)
    shape = (5, 7)
    new, old, generated, reference = (
        -3 * torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(4)
    )
    advantages = torch.randn(5, 1, generator=generator, dtype=torch.float64)
    terms = grpo_token_loss(new, old, generated, reference, advantages, **SETTINGS)
    for row in range(5):
        for column in range(7):
            expected = one_token(
                *(float(tensor[row, column]) for tensor in (new, old, generated, reference)), float(advantages[row, 0])
            )
            assert terms.loss[row, column].item() == pytest.approx(expected, rel=1e-12)


def test_on_policy_gradient_is_minus_importance_times_advantage() -> None:
    new = torch.tensor([-1.0, -2.0], dtype=torch.float64, requires_grad=True)
    generated = torch.tensor([-1.1, -4.0], dtype=torch.float64)
    terms = grpo_token_loss(
        new, new.detach(), generated, new.detach(), torch.tensor(0.7, dtype=torch.float64), **SETTINGS
    )
    (gradient,) = torch.autograd.grad(terms.loss.sum(), new)
    assert gradient.tolist() == pytest.approx([-0.7 * math.exp(0.1), -0.7 * 2.0])


def test_clipping_stops_the_gradient_of_a_ratio_that_went_too_far() -> None:
    new = torch.tensor([-1.0, -1.0], dtype=torch.float64, requires_grad=True)
    old = torch.tensor([-1.5, -0.5], dtype=torch.float64)
    advantages = torch.tensor([1.0, -1.0], dtype=torch.float64)
    terms = grpo_token_loss(new, old, old, new.detach(), advantages, **{**SETTINGS, "kl_coefficient": 0.0})
    (gradient,) = torch.autograd.grad(terms.loss.sum(), new)
    assert gradient.tolist() == [0.0, 0.0]


def test_kl_is_never_negative_and_zero_at_the_reference() -> None:
    new = torch.linspace(-4, 0, 9, dtype=torch.float64)
    terms = grpo_token_loss(new, new, new, new, torch.zeros(9), **SETTINGS)
    assert torch.equal(terms.kl, torch.zeros(9, dtype=torch.float64))
    terms = grpo_token_loss(new, new, new, new.flip(0), torch.zeros(9), **SETTINGS)
    assert (terms.kl >= 0).all()


def test_token_weights_average_over_all_tokens_of_each_group() -> None:
    lengths = torch.tensor([3, 1, 2, 2])
    weights = token_weights(lengths, group_size=2)
    assert (weights * lengths).view(2, 2).sum(1).tolist() == pytest.approx([0.5, 0.5])
    assert weights[0] == weights[1]
