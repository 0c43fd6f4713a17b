"""What `prism plan` says of an RL stage's memory, and what it refuses."""

from __future__ import annotations

import pytest

from prism.cli import main
from prism.errors import GateRefused
from prism.megatron.backend import install
from prism.megatron.parallel import Layout, process_groups
from prism.megatron.trainee import Trainee
from prism.plan.rl_memory import RlMemory, check_rl_memory, rl_memory
from prism.recipe import Recipe, load_recipe
from tests.rl.placement_worker import train

GIB = 2**30
VLLM = ("rl.generator.kind=vllm", "rl.generator.vllm.context_length=20480")


def eight_billion(*overrides: str, processes: int = 8, tensor: int = 4) -> Recipe:
    """Granite-3.3-8B (8.17e9 parameters) with an RL stage."""
    cluster = [f"cluster.processes={processes}", f"cluster.tensor_parallel={tensor}"]
    stage = "pipeline.rl={stage: rl, from: mid}"
    return load_recipe("granite_3_3_8b/math_code_science", [*cluster, stage, *overrides])


VOCABULARY = 49_152


def checked(*overrides: str, processes: int = 8, tensor: int = 4) -> RlMemory:
    install()
    return check_rl_memory(eight_billion(*overrides, processes=processes, tensor=tensor), "rl", VOCABULARY)


def planned(*overrides: str) -> RlMemory:
    install()
    return rl_memory(eight_billion(*overrides), "rl", VOCABULARY)


def gib(memory: RlMemory, phase: str) -> dict[str, float]:
    found = next(one for one in memory.phases if one.name == phase)
    return {name: round(size / GIB, 2) for name, size in found.parts.items()}


def refused(*overrides: str, processes: int = 8, tensor: int = 4) -> GateRefused:
    with pytest.raises(GateRefused) as caught:
        checked(*overrides, processes=processes, tensor=tensor)
    return caught.value


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_trainer_holds_as_many_bytes_as_planned(precision: str) -> None:
    install()
    recipe = load_recipe("miniature", ["model.vocab_size=96", f"rl.precision={precision}"])
    planned = next(one for one in rl_memory(recipe, "rl", 96).phases if one.name == "train").parts
    with process_groups(Layout(), seed=1):
        trainee = Trainee(recipe.model, 96, Layout(), recipe.rl.optimizer, precision)
        trainee.initialise(seed=1)
        train(trainee, 1)
        weights = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in trainee.weights()}
        gradients = sum(buffer.grad_data.nbytes for chunk in trainee.chunks for buffer in chunk.buffers)
        held = [
            tensor
            for part in trainee.optimizer.chained_optimizers
            for group in part.optimizer.param_groups
            for parameter in group["params"]
            for tensor in (parameter, *part.optimizer.state[parameter].values())
        ]
        state = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in held if one.ndim}
    assert sum(weights.values()) == pytest.approx(planned["weights"], rel=0.01)
    assert gradients == pytest.approx(planned["gradients"], rel=0.01)
    only = sum(size for place, size in state.items() if place not in weights)
    assert only == pytest.approx(planned["optimizer"], rel=0.01)


def test_eight_billion_parameters_over_four_gpus_twice() -> None:
    memory = checked("rl.generator.slots=16")
    # 8.17e9 / 4 = 2.04e9 parameters a GPU; the optimizer's 12 bytes are split over two replicas.
    found = gib(memory, "train")
    assert [found[part] for part in ("weights", "gradients", "optimizer", "reference")] == [3.81, 7.61, 11.42, 11.42]
    assert found["activations"] > 10


def test_the_megatron_generator_s_caches_are_bounded_by_its_slots_and_by_the_step_s_responses() -> None:
    # A token: 40 layers x 2 x 2 groups of the GPU x 128 x 2 bytes = 40 KiB; 16,384 of them 0.625 GiB.
    assert gib(checked("rl.generator.slots=16"), "rollout")["caches"] == 10.0
    assert checked("rl.prompts_per_step=2", "rl.responses_per_prompt=4").sequences == 4


def test_too_many_slots_are_refused_with_a_number_that_fits() -> None:
    error = refused("rl.generator.slots=256")
    assert error.exit_code == 3
    assert error.message.startswith("rollout: ") and "79.1 GiB of a h100_sxm" in error.message
    assert error.remedy is not None
    slots = int(error.remedy.rpartition("rl.generator.slots to ")[2])
    offloaded = ("rl.placement.offload_optimizer=true", "rl.placement.offload_reference=true")
    checked(f"rl.generator.slots={slots}", *offloaded)
    refused(f"rl.generator.slots={2 * slots}", *offloaded)


def test_colocated_servers_share_the_gpu_with_what_stays_there() -> None:
    servers = (*VLLM, "rl.generator.vllm.tensor_parallel=4", "rl.generator.vllm.engines=2")
    away = ("rl.placement.offload_optimizer=true", "rl.placement.offload_reference=true")
    both = "set rl.placement.offload_optimizer to true and rl.placement.offload_reference to true"
    assert refused(*servers).remedy == both
    tight = refused(*servers, *away, "rl.generator.vllm.gpu_memory_utilization=0.95")
    assert tight.remedy == "set rl.generator.vllm.gpu_memory_utilization to 0.85"
    memory = checked(*servers, *away)
    rollout = gib(memory, "rollout")
    assert rollout["optimizer"] == rollout["gradients"] == 0
    assert rollout["generator weights"] == 3.8
    assert rollout["generator weights"] + rollout["generator caches"] == pytest.approx(0.85 * 79.1, abs=0.02)
    # 63.4 GiB of caches; a sequence takes 20,480 x 40 KiB.
    assert memory.sequences == pytest.approx(63.4 / 0.78125, rel=0.01)


def test_separate_servers_have_gpus_of_their_own() -> None:
    memory = checked(*VLLM, "rl.placement.mode=separate")
    assert gib(memory, "rollout, generator's GPUs")["generator weights"] == 15.22
    assert "generator weights" not in gib(memory, "train")


def test_a_server_without_room_for_one_sequence_is_refused() -> None:
    error = refused(*VLLM, "rl.placement.mode=separate", "rl.generator.vllm.gpu_memory_utilization=0.2")
    assert "no room for one sequence of full length" in error.message


def test_offloading_in_fp32_brings_the_reference_back_for_its_own_part() -> None:
    memory = planned("rl.precision=fp32", "rl.placement.offload_reference=true")
    assert gib(memory, "train")["reference"] == 0
    assert gib(memory, "reference")["visiting reference"] == 7.61


def test_without_a_kl_there_is_no_reference() -> None:
    assert gib(planned("rl.kl_coefficient=0"), "train")["reference"] == 0


def test_plan_leaves_with_3_when_it_doesn_t_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_plan("cluster.device_memory_gib=0.001") == 3
    said = " ".join(capsys.readouterr().err.split())
    assert "don't fit the 0.001 GiB of a h100_sxm" in said and "Remedy" in said


def test_plan_shows_every_phase(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_plan(recipe="granite_4_micro/math") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "rl, rollout: " in said and "rl, train: " in said and "caches for 32.0 sequences" in said


def run_plan(*overrides: str, recipe: str = "miniature") -> int:
    arguments = ["plan", recipe, *(word for override in overrides for word in ("--set", override))]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as left:
        patch.setattr("sys.argv", ["prism", *arguments])
        main()
    code = left.value.code
    return code if isinstance(code, int) else 0
