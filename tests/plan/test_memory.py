"""What a plan says of a rank's memory is what a real training step holds there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import pytest

from prism.megatron.backend import install
from prism.plan.memory import Rank, Work, ranks
from prism.recipe import ClusterConfig, load_recipe
from tests.forks import run_program
from tests.plan.memory_cases import CASES, LENGTH, QUICK, VOCABULARY, Case

CHOSEN = tuple(CASES) if os.environ.get("PRISM_TEST_FULL") == "1" else QUICK

pytestmark = pytest.mark.xdist_group("plan_memory")  # one process makes what its tests share


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[dict[str, Any]]]:
    """By case: what each rank held in a real step, in real processes."""
    out = tmp_path_factory.mktemp("memory")
    found: dict[str, list[dict[str, Any]]] = {}
    for processes in sorted({CASES[key].processes for key in CHOSEN}):
        run_program("tests.plan.memory_worker", [str(out), *CHOSEN], processes)
        found |= json.loads((out / f"{processes}.json").read_text())
    return found


def planned(case: Case) -> list[Rank]:
    install()
    cluster = ClusterConfig.model_validate(case.sections)
    work = Work(
        load_recipe(case.recipe).model,
        VOCABULARY,
        cluster,
        case.micro_batch_size,
        LENGTH,
        case.micro_batches,
        case.precision,
        kernels="cpu",
    )
    return ranks(work)


@pytest.mark.parametrize("key", CHOSEN)
def test_a_rank_holds_what_is_planned(key: str, measured: Mapping[str, list[dict[str, Any]]]) -> None:
    case, stages = CASES[key], planned(CASES[key])
    for number, held in enumerate(measured[key]):
        rank = stages[number * len(stages) // case.processes]
        memory = rank.memory
        assert held["parameters"] == rank.parameters
        assert held["weights"] == pytest.approx(memory.weights, rel=0.001)  # the wrapper pads its buffers
        assert held["gradients"] == pytest.approx(memory.gradients, rel=0.001)
        assert held["optimizer"] == pytest.approx(memory.optimizer, rel=0.001)
        assert held["activations"] == pytest.approx(memory.activations + memory.logits, rel=0.1)
