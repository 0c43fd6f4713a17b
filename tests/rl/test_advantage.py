import torch

from prism.rl.advantage import group_advantages, has_variance


def test_advantages_are_rewards_standardised_within_their_group() -> None:
    rewards = torch.tensor([[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
    got = group_advantages(rewards, 1e-4)
    for row, line in zip(rewards, got, strict=True):
        expected = (row - row.mean()) / (row.std() + 1e-4)
        torch.testing.assert_close(line, expected)


def test_a_group_without_variance_has_no_advantage() -> None:
    rewards = torch.tensor([[0.3, 0.3, 0.3], [0.0, 1.0, 0.0]], dtype=torch.float64)
    got = group_advantages(rewards, 1e-4)
    assert got[0].tolist() == [0.0, 0.0, 0.0]
    assert has_variance(rewards).tolist() == [False, True]


def test_a_batch_of_only_equal_groups_is_all_zero_and_finite() -> None:
    got = group_advantages(torch.full((4, 16), -0.2), 1e-4)
    assert torch.equal(got, torch.zeros(4, 16))
