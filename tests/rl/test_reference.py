"""The reference follows the policy by its share, in bf16 too, and comes back from a checkpoint as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from prism.megatron import checkpoint
from prism.megatron.parallel import Layout, process_groups
from prism.megatron.trainee import Trainee
from prism.recipe import OptimizerConfig, load_recipe
from prism.rl.reference import Reference, soft_update

MODEL = load_recipe("miniature").model


@pytest.fixture(autouse=True)
def groups() -> Iterator[None]:
    with process_groups(Layout(), seed=1):
        yield


def trainee(precision: str) -> Trainee:
    made = Trainee(MODEL, 95, Layout(), OptimizerConfig(), precision)
    made.initialise(seed=1)
    return made


def test_a_soft_update_is_the_weighted_mean() -> None:
    reference, policy = [torch.tensor([1.0, 2.0])], [torch.tensor([3.0, 2.0])]
    soft_update(reference, policy, 0.25)
    assert reference[0].tolist() == [1.5, 2.0]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_many_small_steps_add_up_whatever_the_precision(tmp_path: Path, precision: str) -> None:
    policy = trainee(precision)
    saved = policy.save(tmp_path, 0, {})
    reference = Reference(MODEL, 95, Layout(), precision, offload=False)
    reference.load(saved)
    begin = [parameter.clone() for parameter in reference.kept.parameters()]
    with torch.no_grad():  # three ulps of bf16: a twentieth of that is nothing in bf16
        for weight in policy.weights():
            weight.mul_(1 + 3 * 2.0**-8)
    for _ in range(20):
        reference.follow(policy, 0.05)
    share = 1 - 0.95**20
    for old, new, target in zip(begin, reference.kept.parameters(), policy.weights(), strict=True):
        torch.testing.assert_close(new, old + share * (target.float() - old), rtol=1e-5, atol=1e-6)


def test_a_reference_with_offloading_computes_the_same(tmp_path: Path) -> None:
    from prism.rl.batch import Weighted, padded

    saved = trainee("fp32").save(tmp_path, 0, {})
    batches = padded([Weighted([5, 6, 7], [8, 9], [-1.0, -1.0], 1.0, 0.5)], 4, uniform=False)
    found = []
    for offload in (False, True):
        reference = Reference(MODEL, 95, Layout(), "fp32", offload=offload)
        reference.load(saved)
        found.append(reference.logprobs(batches)[0].reference_logprobs)
    assert found[0] is not None and found[1] is not None
    assert torch.equal(found[0], found[1])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_resumed_reference_is_the_one_that_was_saved(tmp_path: Path, precision: str) -> None:
    policy = trainee(precision)
    reference = Reference(MODEL, 95, Layout(), precision, offload=False)
    reference.load(policy.save(tmp_path / "start", 0, {}))
    with torch.no_grad():
        for weight in policy.weights():
            weight.add_(0.01)
    reference.follow(policy, 0.3)
    saved = checkpoint.save(tmp_path / "later", 1, policy.chunks, policy.optimizer, {}, {"reference": reference.kept})
    again = Reference(MODEL, 95, Layout(), precision, offload=False)
    again.resume(saved)
    for one, other in zip(reference.kept.parameters(), again.kept.parameters(), strict=True):
        assert torch.equal(one, other)
