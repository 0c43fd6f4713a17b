"""One GRPO update through the real engine: the same gradient however the responses are spread; rollouts that agree with
the trainer."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.models.tiny_io import run

pytestmark = pytest.mark.xdist_group("rl_engine")  # what is run once is shared

Said = tuple[dict[str, Any], dict[str, Tensor]]

LAYOUTS = {
    # name: tensor, processes, keys
    "alone": (1, 1, ["micro_batch_size=64"]),
    "micro_batches": (1, 1, ["micro_batch_size=5"]),
    "packed": (1, 1, ["packing_tokens=64"]),
    "two_replicas": (1, 2, ["micro_batch_size=4"]),
    "two_replicas_packed": (1, 2, ["packing_tokens=64"]),
    "two_tensor_ranks": (2, 2, ["micro_batch_size=64"]),
}


HYBRID_TOO = ("alone", "packed", "two_replicas", "two_tensor_ranks")


@pytest.fixture(scope="module", params=["miniature", "miniature_hybrid"])
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Said]:
    root = tmp_path_factory.mktemp(request.param)
    found = {}
    for name, (tensor, processes, keys) in LAYOUTS.items():
        if request.param == "miniature_hybrid" and name not in HYBRID_TOO:
            continue
        out = root / f"{name}.safetensors"
        run("tests.rl.engine_worker", root, out, tensor, request.param, *keys, ranks=processes)
        found[name] = json.loads(out.with_suffix(".json").read_text()), load_file(out)
    return found


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "alone"])
def test_the_gradient_of_a_step_is_that_of_one_unpacked_process(outcomes: dict[str, Said], name: str) -> None:
    if name not in outcomes:
        pytest.skip("run for the dense model alone")
    (_, expected), (_, found) = outcomes["alone"], outcomes[name]
    assert found.keys() == expected.keys()
    squared, of_all = 0.0, 0.0
    for key, gradient in expected.items():
        distance, size = (float(torch.linalg.vector_norm(x)) for x in (found[key] - gradient, gradient))
        # The gradients of A and dt are small sums of large terms of both signs: fp32 keeps fewer of their digits.
        assert distance <= (1e-4 if key.endswith(("A_log", "dt_bias")) else 1e-5) * size, key
        squared, of_all = squared + distance**2, of_all + size**2
    assert squared**0.5 < 1e-5 * of_all**0.5


def test_the_layouts_do_cut_the_batch_differently(outcomes: dict[str, Said]) -> None:
    assert outcomes["alone"][0]["micro_batches"] == 1
    if "micro_batches" in outcomes:
        assert outcomes["micro_batches"][0]["micro_batches"] == 3
    assert outcomes["packed"][0]["micro_batches"] > 2


@pytest.mark.parametrize("name", ["alone", "two_tensor_ranks"])
def test_rollouts_agree_with_the_trainer_on_every_token(outcomes: dict[str, Said], name: str) -> None:
    assert outcomes[name][0]["mismatch"] < 1e-4
