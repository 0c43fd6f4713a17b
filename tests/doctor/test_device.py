"""GPUs by what torch and nvidia-smi say, InfiniBand by files laid out as the kernel does.

The texts of nvidia-smi are written after NVIDIA's documentation; they weren't recorded on a GPU.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.doctor import Machine, Row, Verdict
from prism.doctor.device import device, gpu_problem, nvlink_row
from prism.doctor.infiniband import infiniband

JOINED = """\
        GPU0    GPU1    GPU2    NIC0    CPU Affinity    NUMA Affinity
GPU0     X      NV18    NV18    PIX     0-47            0
GPU1    NV18     X      NV18    SYS     0-47            0
GPU2    NV18    NV18     X      SYS     48-95           1
NIC0    PIX     SYS     SYS      X

Legend:
  X    = Self
  NV#  = Connection traversing a bonded set of # NVLinks
"""


def rows(machine: Machine) -> dict[str, Row]:
    return {row.name: row for row in device(machine)}


def test_a_machine_without_a_gpu_has_no_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {row.verdict for row in rows(Machine(root=tmp_path)).values()} == {Verdict.UNNEEDED}


def test_a_driver_beside_a_torch_for_the_cpu_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    version = tmp_path / "proc/driver/nvidia/version"
    version.parent.mkdir(parents=True)
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan 23\nGCC version: 11.4.0")
    found = rows(Machine(root=tmp_path))
    assert found["gpu"].verdict is Verdict.FAILS
    assert "is a build for the CPU" in found["gpu"].found
    assert found["driver"].found == "570.86.15"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "unset CUDA_VISIBLE_DEVICES" in rows(Machine(root=tmp_path))["gpu"].remedy


def test_nvidia_smi_that_fails_is_a_fault_of_the_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Failed to initialize NVML: Driver/library version mismatch'\nexit 18\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    row = rows(Machine(root=tmp_path))["driver"]
    assert row.verdict is Verdict.FAILS
    assert "version mismatch" in row.found


@pytest.mark.parametrize(
    ("names", "capability", "architectures", "free", "said"),
    [
        ({"H100"}, (9, 0), ["sm_80", "sm_90"], 0.99, None),
        ({"L40S"}, (8, 9), ["sm_80", "sm_90"], 0.99, None),
        ({"B200"}, (10, 0), ["sm_80", "sm_90"], 0.99, "built for sm_80, sm_90"),
        ({"B200"}, (10, 0), ["sm_90", "sm_100"], 0.99, None),
        ({"V100"}, (7, 0), ["sm_80", "sm_90a"], 0.99, "built for"),
        ({"H100", "A100"}, (9, 0), ["sm_90"], 0.99, "different kinds: A100, H100"),
        ({"H100"}, (9, 0), ["sm_90"], 0.5, "others use its memory"),
    ],
)
def test_gpus_are_held_to_what_torch_was_built_for(
    names: set[str], capability: tuple[int, int], architectures: list[str], free: float, said: str | None
) -> None:
    problem = gpu_problem(names, capability, architectures, free)
    assert problem is None if said is None else problem is not None and said in problem[1]


def test_nvlink_between_all_gpus_or_some() -> None:
    assert nvlink_row(JOINED).found == "3 GPUs, NV18 between all"
    partly = nvlink_row(JOINED.replace("GPU1    NV18     X      NV18", "GPU1    NV18     X      SYS "))
    assert partly.verdict is Verdict.SLOW
    assert partly.found == "3 GPUs, 5 of 6 ways by NVLink"
    assert nvlink_row("GPU0 X 0-47").verdict is Verdict.UNNEEDED


def adapter(root: Path, name: str, state: str) -> None:
    port = root / "sys/class/infiniband" / name / "ports/1"
    port.mkdir(parents=True)
    for file, text in (("state", state), ("rate", "400 Gb/sec (4X NDR)"), ("link_layer", "InfiniBand")):
        (port / file).write_text(text + "\n")


def test_infiniband_ports_count_when_they_are_up_and_can_be_reached(tmp_path: Path) -> None:
    machine = Machine(root=tmp_path)
    assert infiniband(machine).verdict is Verdict.UNNEEDED
    adapter(tmp_path, "mlx5_0", "1: DOWN")
    assert infiniband(machine).verdict is Verdict.FAILS
    adapter(tmp_path, "mlx5_1", "4: ACTIVE")
    assert "mount /dev/infiniband" in infiniband(machine).remedy
    (tmp_path / "dev/infiniband").mkdir(parents=True)
    row = infiniband(machine)
    assert (row.verdict, row.found) == (Verdict.OK, "1 of 2 ports up: 400 Gb/sec (4X NDR) InfiniBand")
