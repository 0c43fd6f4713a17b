"""Constants come from one file, and a user's own file is laid over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.errors import RecipeError, UsageError
from prism.plan.devices import OWN, constants, device_of
from prism.recipe import ClusterConfig


def test_an_unknown_device_is_refused_with_the_nearest() -> None:
    with pytest.raises(RecipeError) as caught:
        device_of(ClusterConfig(device="h100"))
    assert caught.value.place == "cluster.device"
    assert "did you mean h100_sxm" in (caught.value.remedy or "")


def test_a_cluster_s_own_memory_counts() -> None:
    assert device_of(ClusterConfig(device_memory_gib=40)).memory_gib == 40
    assert device_of(ClusterConfig()).memory_gib == constants().devices["h100_sxm"].memory_gib


def test_a_file_of_one_s_own_adds_a_device_and_measured_efficiencies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = constants()
    own = tmp_path / "own.yaml"
    own.write_text(
        "devices:\n"
        "  mine: {memory_gib: 20, flops: {bf16: 1.0e12, fp32: 1.0e11}, memory_bytes_s: 1.0e11, link_bytes_s: 1.0e10, "
        "network_bytes_s: 1.0e9, host_bytes_s: 1.0e9}\n"
        "efficiency: {matrix: 0.5}\n"
    )
    monkeypatch.setenv(OWN, str(own))
    assert device_of(ClusterConfig(device="mine")).memory_gib == 20
    assert constants().efficiency.matrix == 0.5
    assert constants().efficiency.memory == before.efficiency.memory


@pytest.mark.parametrize("text", ["efficiency: {matrixes: 1}", "devices: {mine: {memory_gib: 1}}", "a: [", "- 1"])
def test_a_file_that_isn_t_one_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(text)
    monkeypatch.setenv(OWN, str(own))
    with pytest.raises(UsageError, match="can't be read as devices"):
        constants()
