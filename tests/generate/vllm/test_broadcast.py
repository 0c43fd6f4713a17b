"""Weights broadcast to servers over their own weight-transfer calls; gloo stands for NCCL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prism.generate.vllm.fleet import OwnFleet
from prism.generate.vllm.generator import VllmGenerator
from prism.generate.weight_sync.broadcast import BroadcastTransport
from prism.generate.weight_sync.channel import GlooChannel
from prism.generate.weight_sync.manifest import sum_tensor
from tests.generate.vllm.made import (
    QUICK,
    SAMPLING,
    MadeWeights,
    expected,
    journal,
    launch,
    loaded,
    misbehave,
    requests,
)
from tests.generate.vllm.toy_server import CONTEXT

Made = tuple[VllmGenerator, OwnFleet, MadeWeights]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """Two servers that have got policy 1 over a channel."""
    fleet = OwnFleet([launch(tmp_path, str(number)) for number in range(2)])
    transport = BroadcastTransport(lambda: fleet.servers, lambda world: GlooChannel(world, patience_s=20))
    weights = MadeWeights(tmp_path / "weights", fleet, transport)
    generator = VllmGenerator(fleet, weights, CONTEXT, QUICK, restarts=2)
    weights.gatherer.value = 1.0
    generator.set_version(1)
    generator.prepare()
    yield generator, fleet, weights
    generator.close()


def sums(weights: MadeWeights) -> dict[str, str]:
    return {name: sum_tensor(tensor) for name, tensor in weights.gatherer.tensors()}


def test_every_server_receives_every_tensor(made: Made) -> None:
    _, fleet, weights = made
    assert [loaded(server.url) for server in fleet.servers] == [sums(weights)] * 2


def test_a_later_policy_goes_over_the_same_channel_bucket_by_bucket(made: Made) -> None:
    generator, fleet, weights = made
    weights.gatherer.value = 2.0
    generator.set_version(2)
    found = generator.generate(requests(20), SAMPLING)
    assert {response.policy_version for response in found} == {2}
    for server in fleet.servers:
        assert loaded(server.url) == sums(weights)
        controls = [line.split()[0] for line in journal(server.url)]
        assert controls.count("/init_weight_transfer_engine") == 1
        update = ["/start_weight_update", *["/update_weights"] * len(weights.gatherer.plan), "/finish_weight_update"]
        assert controls[-len(update) - 3 :] == ["/pause", *update, "/reset_prefix_cache", "/resume"]
        assert len(weights.gatherer.plan) > 1


def test_when_a_server_dies_while_it_receives_all_start_again_in_a_new_channel(made: Made) -> None:
    generator, fleet, weights = made
    first, second = fleet.servers
    misbehave(second.url, "die_while_receiving")
    weights.gatherer.value = 3.0
    generator.set_version(3)
    asked = requests(20)
    found = generator.generate(asked, SAMPLING)
    assert [loaded(server.url) for server in fleet.servers] == [sums(weights)] * 2
    assert not {first, second} & set(fleet.servers)  # the first had begun an update that never ended
    assert {response.policy_version for response in found} == {3}


def test_both_transports_give_the_same_answers(made: Made, tmp_path: Path) -> None:
    generator, _, weights = made
    asked = requests(40)
    assert generator.generate(asked, SAMPLING) == expected(weights.first_model(1), asked, version=1)
