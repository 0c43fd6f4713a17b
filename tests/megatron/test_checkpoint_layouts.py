"""A checkpoint goes on at any layout, whichever saved it; ranks agree about damage and full disks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.megatron.checkpoint_worker import MODELS, SOURCES

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.xdist_group("checkpoint_layouts")  # one process makes what its tests share


@pytest.fixture(scope="module")
def phases(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each phase of the worker found."""
    folder = tmp_path_factory.mktemp("layouts")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PRISM_BACKEND": "cpu"}
    subprocess.run(
        [sys.executable, "-m", "tests.megatron.checkpoint_worker", str(folder)],
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=600,
    )
    return [json.loads((folder / f"{number}.json").read_text()) for number in range(3)]


@pytest.mark.parametrize("name", SOURCES)
def test_what_two_ranks_saved_goes_on_in_one(name: str, phases: list[dict[str, Any]]) -> None:
    assert phases[2][name] == pytest.approx(phases[1][name], rel=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_at_the_same_layout_it_goes_on_bit_by_bit(name: str, phases: list[dict[str, Any]]) -> None:
    assert phases[2][name] == phases[0][name]


@pytest.mark.parametrize("name", ["dense at DP2 distributed", "hybrid at TP2", "dense at PP2 VP2"])
def test_what_one_rank_saved_goes_on_in_two(name: str, phases: list[dict[str, Any]]) -> None:
    assert phases[1][name] == pytest.approx(phases[0][name.split()[0]], rel=1e-5)


def test_ranks_that_see_different_damage_take_the_same_checkpoint(phases: list[dict[str, Any]]) -> None:
    assert phases[1]["damage"] == [1, 1]


def test_a_full_disk_on_one_rank_keeps_the_earlier_checkpoint_and_the_next_save_tries_again(
    phases: list[dict[str, Any]],
) -> None:
    found = phases[1]["full disk"]
    assert found["there"] == [["step_00000001"], ["step_00000001"], ["step_00000003"]]
    assert found["codes"] == [5, 5]
