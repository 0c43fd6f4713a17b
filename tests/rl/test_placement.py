"""Placement: the optimizer makes room and comes back as it was; servers get the weights of any trainer's layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from prism.generate.weight_sync.manifest import sum_tensor
from prism.megatron import checkpoint
from prism.megatron.offload import OptimizerParking
from prism.megatron.parallel import Layout, process_groups
from prism.megatron.trainee import Trainee
from prism.models.convert import export
from prism.recipe import CheckpointConfig, OptimizerConfig, load_recipe
from prism.recipe.schema.generator import PlacementConfig
from prism.rl.placement import Placement
from tests.models.tiny_io import run
from tests.rl.placement_worker import VOCABULARY, moments, train

pytestmark = pytest.mark.xdist_group("placement")  # one process runs the cases, all tests share them

CASES = {
    # name: tensor, pipeline, processes, mode
    "alone": (1, 1, 1, "colocated"),
    "two_tensor_ranks": (2, 1, 2, "separate"),
    "two_stages": (1, 2, 2, "colocated"),
    "two_replicas": (1, 1, 2, "colocated"),
}


@pytest.fixture(scope="module", params=CASES)
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path, Any]:
    """Name and mode of a case, the folder of what it left, and what it found in each round."""
    name = request.param
    root = tmp_path_factory.mktemp(name)
    tensor, pipeline, processes, mode = CASES[name]
    run("tests.rl.placement_worker", root, root / "out", tensor, pipeline, mode, ranks=processes)
    return name, mode, root, json.loads((root / "out.json").read_text())


def test_the_server_holds_the_trainer_s_weights_bit_for_bit(outcome: tuple[str, str, Path, Any]) -> None:
    _, _, root, rounds = outcome
    saved = checkpoint.require_latest(root / "out.checkpoints")
    export(saved.path, root / "hf", load_recipe("miniature").model, VOCABULARY, {})
    expected = {name: sum_tensor(tensor) for name, tensor in load_file(root / "hf" / "model.safetensors").items()}
    assert rounds[1]["holds"] == expected
    assert rounds[0]["holds"].keys() == expected.keys() and rounds[0]["holds"] != expected


def test_every_rank_of_a_replica_has_its_replica_s_answers(outcome: tuple[str, str, Path, Any]) -> None:
    name, _, _, rounds = outcome
    for version, found in enumerate(rounds):
        by_replica: dict[int, list[Any]] = {}
        for replica, answers in found["answers"]:
            assert all(said == version for _, _, said in answers)
            assert by_replica.setdefault(replica, answers) == answers
        assert {replica: len(answers) for replica, answers in by_replica.items()} == (
            {0: 12, 1: 8} if name == "two_replicas" else {0: 12}
        )


def test_a_colocated_server_sleeps_while_the_trainer_trains_and_a_separate_one_doesn_t(
    outcome: tuple[str, str, Path, Any],
) -> None:
    _, mode, _, rounds = outcome
    assert [found["asleep"] for found in rounds] == [mode == "colocated"] * 2


def test_the_moments_take_no_device_memory_while_responses_are_sampled(outcome: tuple[str, str, Path, Any]) -> None:
    before, inside, after = outcome[3][1]["moments"]
    assert before == after > 0
    assert inside == 0


def trained(precision: str, *, parks: bool) -> list[torch.Tensor]:
    """Weights after four steps, with the optimizer parked between them or not."""
    with process_groups(Layout(), seed=1):
        trainee = Trainee(load_recipe("miniature").model, VOCABULARY, Layout(), OptimizerConfig(), precision)
        trainee.initialise(seed=3)
        parking = OptimizerParking(trainee.chunks, trainee.optimizer)
        for step in range(4):
            train(trainee, step)
            if parks:
                with parking.parked():
                    weights = [weight.clone() for weight in trainee.weights()]
                assert all(map(torch.equal, weights, trainee.weights()))
        return [weight.clone() for weight in trainee.weights()]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_goes_on_bit_for_bit_after_the_optimizer_was_away(precision: str) -> None:
    expected, found = trained(precision, parks=False), trained(precision, parks=True)
    assert all(map(torch.equal, expected, found))


def test_gradients_and_wide_weights_go_too_and_the_weights_stay() -> None:
    with process_groups(Layout(), seed=1):
        trainee = Trainee(load_recipe("miniature").model, VOCABULARY, Layout(), OptimizerConfig(), "bf16")
        trainee.initialise(seed=3)
        train(trainee, 1)
        wide = [
            parameter
            for part in trainee.optimizer.chained_optimizers
            for group in part.optimizer.param_groups
            for parameter in group["params"]
        ]
        gradients = [buffer.grad_data for chunk in trainee.chunks for buffer in chunk.buffers]
        with OptimizerParking(trainee.chunks, trainee.optimizer).parked():
            assert all(tensor.untyped_storage().nbytes() == 0 for tensor in (*wide, *gradients))
            assert all(weight.untyped_storage().nbytes() > 0 for weight in trainee.weights())
        assert all(tensor.untyped_storage().nbytes() > 0 for tensor in (*wide, *gradients))
        assert not any(gradient.any() for gradient in gradients)


def test_the_optimizer_stays_until_a_checkpoint_has_copied_it() -> None:
    """A save beside training makes the optimizer wait before it steps; leaving is as bad for it as a step."""
    with process_groups(Layout(), seed=1):
        trainee = Trainee(load_recipe("miniature").model, VOCABULARY, Layout(), OptimizerConfig(), "fp32")
        trainee.initialise(seed=3)
        train(trainee, 1)
        found: list[int] = []
        inner = trainee.optimizer.chained_optimizers[0].optimizer
        inner.register_step_pre_hook(lambda *_: found.append(moments(trainee)))
        with OptimizerParking(trainee.chunks, trainee.optimizer).parked():
            assert moments(trainee) == 0
        assert found == [moments(trainee)]


def test_a_save_beside_sampling_holds_the_state_of_its_step(tmp_path: Path) -> None:
    with process_groups(Layout(), seed=1):
        trainee = Trainee(load_recipe("miniature").model, VOCABULARY, Layout(), OptimizerConfig(), "bf16")
        trainee.initialise(seed=3)
        parking = OptimizerParking(trainee.chunks, trainee.optimizer)
        saver = checkpoint.Saver(tmp_path, CheckpointConfig(keep_last=9))
        for step in (1, 2, 3):
            train(trainee, step)
            saver.save(trainee.chunks, trainee.optimizer, step, {})
            with parking.parked():
                pass
        saver.close()
        again = Trainee(load_recipe("miniature").model, VOCABULARY, Layout(), OptimizerConfig(), "bf16")
        again.resume(checkpoint.require_latest(tmp_path))
        train(again, 4)
        train(trainee, 4)
        assert all(map(torch.equal, again.weights(), trainee.weights()))


def test_an_error_while_sampling_brings_the_optimizer_back() -> None:
    with process_groups(Layout(), seed=1):
        trainee = Trainee(load_recipe("miniature").model, VOCABULARY, Layout(), OptimizerConfig(), "bf16")
        trainee.initialise(seed=3)
        train(trainee, 1)
        config = PlacementConfig(offload_optimizer=True)
        placement = Placement(config, None, trainee)  # type: ignore[arg-type]
        with pytest.raises(RuntimeError, match="lost"), placement.generating():
            raise RuntimeError("lost")
        train(trainee, 2)
