import torch

from prism.generate.sampling import draw, uniforms


def test_draws_follow_the_distribution() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2]])).expand(20_000, 3)
    chosen = draw(logits, uniforms(1, 1, 20_000)[0], temperature=1.0, top_p=1.0)
    shares = torch.bincount(chosen, minlength=3) / 20_000
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.015, rtol=0)


def test_temperature_zero_takes_the_most_likely_token() -> None:
    logits = torch.randn(50, 11)
    assert torch.equal(draw(logits, torch.rand(50), 0.0, 1.0), logits.argmax(-1))


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2]])).expand(3_000, 3)
    chosen = draw(logits, uniforms(2, 1, 3_000)[0], 1.0, top_p=0.6)
    assert set(chosen.tolist()) == {0, 1}


def test_a_token_of_probability_zero_is_never_drawn() -> None:
    logits = torch.tensor([[float("-inf"), 0.0, float("-inf"), 0.0]]).expand(3, 4)
    chosen = draw(logits, torch.tensor([0.0, 0.5, 0.999999999], dtype=torch.float64), 1.0, 1.0)
    assert set(chosen.tolist()) <= {1, 3}


def test_a_rows_randomness_does_not_depend_on_its_neighbours() -> None:
    assert torch.equal(uniforms(7, 5, 9)[:3], uniforms(7, 3, 9))
    assert not torch.equal(uniforms(7, 2, 9)[0], uniforms(7, 2, 9)[1])
