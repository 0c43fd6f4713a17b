"""The loss of an update against numpy in float64, however responses are spread over micro batches, rows and ranks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prism.generate.protocol import Response
from prism.recipe import RlConfig
from prism.rl.batch import RolloutBatch, micro_batches, share_of
from prism.rl.objective import GrpoObjective
from prism.rl.prompts import RlPrompt
from prism.rl.rollout import Rollout
from prism.rl.update import update_items
from prism.score.rewards import Judged
from prism.score.verdict import Verdict
from tests.rl.oracle import Settings, Told, loss


@dataclass(frozen=True)
class World:
    """Random groups of responses of ragged lengths; what the policies say of a token is looked up by its id."""

    groups: list[list[Rollout]]
    told: list[list[Told]]
    tables: dict[str, torch.Tensor]


def world(seed: int, groups: int, size: int, longest: int) -> World:
    random = np.random.default_rng(seed)
    counter = 0
    rollouts, told = [], []
    tables: dict[str, list[float]] = {"new": [], "old": [], "reference": []}
    for _ in range(groups):
        of_group, told_group = [], []
        prompt = tuple(range(counter, counter + random.integers(1, 6)))
        counter += len(prompt)
        for column in tables.values():
            column += [0.0] * len(prompt)
        for _ in range(size):
            length = int(random.integers(1, longest + 1))
            tokens = tuple(range(counter, counter + length))
            counter += length
            new = -3 * random.random(length)
            old, generated, reference = (new + 0.5 * random.standard_normal(length) for _ in range(3))
            for name, values in (("new", new), ("old", old), ("reference", reference)):
                tables[name] += values.tolist()
            reward = float(random.choice([1.0, 0.0, -0.1, 0.9]))
            judged = Judged(Verdict(reward > 0, True, None), {"correct": reward})
            response = Response(tokens, tuple(generated.tolist()), True)
            of_group.append(Rollout(RlPrompt("math", "?", {}), prompt, response, "", judged))
            told_group.append(Told(new, old, generated, reference, reward))
        rollouts.append(of_group)
        told.append(told_group)
    return World(rollouts, told, {name: torch.tensor(values, dtype=torch.float64) for name, values in tables.items()})


def total(made: World, config: RlConfig, *, ranks: int, packing: int | None, micro: int, off_policy: bool) -> float:
    """The sum of all ranks' micro batch losses, as the engine adds them up."""
    items = update_items(made.groups, config)
    sum_ = 0.0
    for rank in range(ranks):
        batches = micro_batches(share_of(items, rank, ranks), micro, packing, uniform=False)
        objective = GrpoObjective(config, len(batches) * ranks)
        for batch in batches:
            known = known_to(made, batch, off_policy)
            value, _ = objective(-made.tables["new"][batch.labels], known)
            sum_ += float(value) / (len(batches) * ranks)
    return sum_


def known_to(made: World, batch: RolloutBatch, off_policy: bool) -> RolloutBatch:
    return replace(
        batch,
        old_logprobs=made.tables["old"][batch.labels] if off_policy else None,
        reference_logprobs=made.tables["reference"][batch.labels],
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    groups=st.integers(1, 5),
    size=st.integers(2, 6),
    longest=st.integers(1, 40),
    ranks=st.sampled_from([1, 2]),
    packing=st.sampled_from([None, 16, 64]),
    micro=st.integers(1, 7),
    kl=st.sampled_from(["k1", "k2", "k3"]),
    normalisation=st.sampled_from(["batch", "group", "response"]),
    cap=st.sampled_from([None, 1.0, 2.0]),
    off_policy=st.booleans(),
)
def test_the_loss_is_numpys_however_it_is_cut(
    seed: int,
    groups: int,
    size: int,
    longest: int,
    ranks: int,
    packing: int | None,
    micro: int,
    kl: str,
    normalisation: str,
    cap: float | None,
    off_policy: bool,
) -> None:
    made = world(seed, groups, size, longest)
    config = RlConfig.model_validate(
        {"kl_estimator": kl, "token_normalisation": normalisation, "importance_cap": cap, "kl_coefficient": 0.05}
    )
    told = made.told if off_policy else [[replace(one, old=one.new) for one in group] for group in made.told]
    expected = loss(told, Settings(cap=cap, kl=kl, normalisation=normalisation))
    found = total(made, config, ranks=ranks, packing=packing, micro=micro, off_policy=off_policy)
    assert found == pytest.approx(expected, abs=1e-10, rel=1e-10)


def test_a_group_whose_rewards_are_equal_adds_nothing_but_its_kl() -> None:
    made = world(3, 1, 4, 10)
    equal = [[replace(one, judged=made.groups[0][0].judged) for one in made.groups[0]]]
    config = RlConfig(kl_coefficient=0.0)
    assert total(replace(made, groups=equal), config, ranks=1, packing=None, micro=2, off_policy=True) == 0.0


def share_tokens(made: World, ranks: int) -> list[int]:
    items = update_items(made.groups, RlConfig())
    return [sum(item.positions for item in share_of(items, rank, ranks)) for rank in range(ranks)]


def test_ranks_get_about_as_many_tokens_each_and_none_is_lost() -> None:
    made = world(5, 8, 8, 60)
    shares = share_tokens(made, 4)
    assert sum(shares) == share_tokens(made, 1)[0]
    assert max(shares) < 1.1 * min(shares)


def test_a_rank_without_a_response_takes_part_with_weight_zero() -> None:
    items = update_items(world(1, 1, 2, 5).groups, RlConfig())
    shares = [share_of(items, rank, 3) for rank in range(3)]
    assert all(shares)
    assert sum(item.weight > 0 for share in shares for item in share) == 2


@pytest.mark.parametrize("make", [lambda items: micro_batches(items, 3, None, uniform=True)])
def test_uniform_micro_batches_have_one_shape_and_the_same_weight(make: Callable[..., list[RolloutBatch]]) -> None:
    items = update_items(world(2, 2, 4, 30).groups, RlConfig())
    batches = make(items)
    assert len({batch.tokens.shape for batch in batches}) == 1
    assert sum(float((batch.mask * batch.weights).sum()) for batch in batches) == pytest.approx(1.0)


def test_packed_rows_hold_what_they_can_and_say_where_responses_end() -> None:
    items = update_items(world(4, 4, 4, 30).groups, RlConfig())
    batches = micro_batches(items, 1, 64, uniform=False)
    assert all(batch.tokens.shape[1] <= 64 for batch in batches)
    assert sum(len(batch.ends or ()) for batch in batches) == len(items)
    assert len(batches) < len(items) / 2
