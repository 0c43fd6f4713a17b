import math

import pytest
import torch

from prism.rl.loss import (
    clipped_surrogate,
    is_clipped,
    is_truncated,
    kl_k1,
    kl_k2,
    kl_k3,
    probability_ratio,
    token_loss,
    token_weights,
    truncated_importance,
)


def tensor(*values: float, grad: bool = False) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def test_on_policy_gradient_is_minus_importance_times_advantage() -> None:
    new = tensor(-1.0, -2.0, grad=True)
    generated = tensor(-1.1, -4.0)
    surrogate = clipped_surrogate(probability_ratio(new, new.detach()), tensor(0.7, 0.7), 0.2, 0.28)
    importance = truncated_importance(new.detach(), generated, 2.0)
    loss = token_loss(surrogate, importance, kl_k3(new, new.detach()), 0.05)
    (gradient,) = torch.autograd.grad(loss.sum(), new)
    assert gradient.tolist() == pytest.approx([-0.7 * math.exp(0.1), -0.7 * 2.0])


def test_the_clip_takes_the_gradient_of_a_ratio_that_went_too_far_and_says_so() -> None:
    new, old = tensor(-1.0, -1.0, -1.0, -1.0, grad=True), tensor(-1.5, -0.5, -1.5, -0.5)
    advantages = tensor(1.0, -1.0, -1.0, 1.0)
    ratio = probability_ratio(new, old)
    (gradient,) = torch.autograd.grad(clipped_surrogate(ratio, advantages, 0.2, 0.28).sum(), new)
    assert (gradient == 0).tolist() == [True, True, False, False]
    assert is_clipped(ratio, advantages, 0.2, 0.28).tolist() == [True, True, False, False]


def test_importance_is_capped_and_without_a_cap_not_there() -> None:
    old, generated = tensor(-1.0, -1.0), tensor(-1.2, -3.0)
    assert truncated_importance(old, generated, 2.0).tolist() == pytest.approx([math.exp(0.2), 2.0])
    assert is_truncated(old, generated, 2.0).tolist() == [False, True]
    assert truncated_importance(old, generated, None).tolist() == [1.0, 1.0]
    assert not is_truncated(old, generated, None).any()


def test_k3_and_k2_are_never_negative_and_zero_at_the_reference() -> None:
    new = torch.linspace(-4, 0, 9, dtype=torch.float64)
    for estimate in (kl_k2, kl_k3):
        assert torch.equal(estimate(new, new), torch.zeros(9, dtype=torch.float64))
        assert (estimate(new, new + 0.3) > 0).all()
        assert (estimate(new, new - 0.3) > 0).all()


def test_k1_and_k3_average_to_the_true_kl_over_the_policys_own_samples() -> None:
    policy, reference = tensor(0.5, 0.3, 0.2), tensor(0.2, 0.3, 0.5)
    true = float((policy * (policy / reference).log()).sum())
    for estimate in (kl_k1, kl_k3):
        assert float((policy * estimate(policy.log(), reference.log())).sum()) == pytest.approx(true)


def test_only_k2_and_k3s_gradients_pull_towards_the_reference() -> None:
    """In expectation over samples: k2's is the KL's gradient, k1's is zero."""
    logits = tensor(0.4, -0.2, 0.1, grad=True)
    reference = tensor(0.2, 0.3, 0.5).log()
    policy = torch.log_softmax(logits, -1)
    weights = policy.detach().exp()
    (true,) = torch.autograd.grad((policy.exp() * (policy - reference)).sum(), logits, retain_graph=True)
    (of_k1,) = torch.autograd.grad((weights * kl_k1(policy, reference)).sum(), logits, retain_graph=True)
    (of_k2,) = torch.autograd.grad((weights * kl_k2(policy, reference)).sum(), logits, retain_graph=True)
    torch.testing.assert_close(of_k2, true)
    torch.testing.assert_close(of_k1, torch.zeros_like(true))


@pytest.mark.parametrize("normalisation", ["batch", "group", "response"])
def test_weights_of_all_tokens_sum_to_one(normalisation: str) -> None:
    lengths = torch.tensor([3, 1, 8, 2, 40, 5])
    weights = token_weights(lengths, 3, normalisation)
    assert float((weights * lengths).sum()) == pytest.approx(1.0)


def test_normalisation_says_who_counts_alike() -> None:
    lengths = torch.tensor([10, 30, 1, 1])
    assert token_weights(lengths, 2, "batch").tolist() == pytest.approx([1 / 42] * 4)
    assert token_weights(lengths, 2, "group").tolist() == pytest.approx([1 / 80, 1 / 80, 1 / 4, 1 / 4])
    assert token_weights(lengths, 2, "response").tolist() == pytest.approx([1 / 40, 1 / 120, 1 / 4, 1 / 4])
