import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.generate.sampling import draw, sample_seed, uniforms


def stream(seed: int, count: int) -> torch.Tensor:
    return uniforms(torch.tensor([seed]), torch.zeros(1, dtype=torch.long), count)[0]


def test_draws_follow_the_distribution() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2]])).expand(20_000, 3)
    chosen, _ = draw(logits, stream(1, 20_000), temperature=1.0, top_p=1.0)
    shares = torch.bincount(chosen, minlength=3) / 20_000
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.015, rtol=0)


def test_temperature_sharpens_the_distribution_but_not_the_log_probabilities() -> None:
    logits = torch.log(torch.tensor([[0.6, 0.4]])).expand(20_000, 2)
    chosen, logprobs = draw(logits, stream(1, 20_000), temperature=0.5, top_p=1.0)
    torch.testing.assert_close(chosen.double().mean().item(), 0.16 / 0.52, atol=0.015, rtol=0)
    assert torch.allclose(logprobs, logits.gather(1, chosen[:, None]).squeeze(1))


def test_temperature_zero_takes_the_most_likely_token() -> None:
    logits = torch.randn(50, 11)
    chosen, logprobs = draw(logits, torch.rand(50), 0.0, 1.0)
    assert torch.equal(chosen, logits.argmax(-1))
    torch.testing.assert_close(logprobs, torch.log_softmax(logits, -1).amax(-1))


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2]])).expand(3_000, 3)
    chosen, _ = draw(logits, stream(2, 3_000), 1.0, top_p=0.6)
    assert set(chosen.tolist()) == {0, 1}


def test_a_token_of_probability_zero_is_never_drawn() -> None:
    logits = torch.tensor([[float("-inf"), 0.0, float("-inf"), 0.0]]).expand(3, 4)
    chosen, _ = draw(logits, torch.tensor([0.0, 0.5, 0.999999999], dtype=torch.float64), 1.0, 1.0)
    assert set(chosen.tolist()) <= {1, 3}


def test_a_stream_depends_on_its_seed_and_the_tokens_number_alone() -> None:
    seeds = torch.tensor([7, -7, 1 << 62])
    whole = uniforms(seeds, torch.zeros(3, dtype=torch.long), 9)
    later = uniforms(seeds[[2, 0]], torch.tensor([4, 2]), 3)
    assert torch.equal(later[0], whole[2, 4:7])
    assert torch.equal(later[1], whole[0, 2:5])
    assert len(set(whole.flatten().tolist())) == 27


def test_streams_are_those_of_splitmix64() -> None:
    # The first three outputs of the generator of seed 1234567, as published with it.
    known = torch.tensor([6457827717110365317, 3203168211198807973, 9817491932198370423 - (1 << 64)])
    drawn = (stream(1234567, 3) * 2.0**53).long()
    assert drawn.tolist() == [(int(value) % (1 << 64)) >> 11 for value in known.tolist()]


def test_neighbouring_samples_have_unrelated_uniform_streams() -> None:
    seeds = torch.tensor([sample_seed(1, 2, 3, sample) for sample in range(4_000)])
    drawn = uniforms(seeds, torch.zeros(4_000, dtype=torch.long), 2)
    assert abs(float(drawn.mean()) - 0.5) < 0.01
    assert abs(float(torch.corrcoef(drawn.T)[0, 1])) < 0.05
    assert abs(float(torch.corrcoef(torch.stack([drawn[:-1, 0], drawn[1:, 0]]))[0, 1])) < 0.05


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4))
def test_a_seed_names_its_parts_in_their_order(first: list[int], second: list[int]) -> None:
    assert (sample_seed(*first) == sample_seed(*second)) == (first == second)
    assert -(2**63) <= sample_seed(*first) < 2**63
