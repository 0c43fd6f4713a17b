"""Cores, memory and limits: this process's, and those of files laid out as the kernel does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from prism.doctor import Machine, Verdict
from prism.doctor.system import system
from tests.doctor.test_device import adapter


def laid_out(root: Path, **files: str) -> Machine:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "dev/shm").mkdir(parents=True)
    return Machine(root=root)


def test_this_machine_has_rows_for_all() -> None:
    names = [row.name for row in system(Machine())]
    assert names == ["cores", "memory", "shared memory", "open files", "processes", "locked memory"]


def test_a_cgroup_that_gives_less_than_the_machine_is_seen(tmp_path: Path) -> None:
    meminfo = f"MemTotal: {64 << 20} kB\nMemAvailable: {60 << 20} kB\n"
    machine = laid_out(tmp_path, proc__meminfo=meminfo)
    assert "64.0 GiB, 60.0 free" in {row.name: row.found for row in system(machine)}["memory"]
    cgroup = tmp_path / "sys/fs/cgroup"
    cgroup.mkdir(parents=True)
    (cgroup / "cpu.max").write_text("20000 100000\n")
    (cgroup / "memory.max").write_text(str(2 << 30))
    rows = {row.name: row for row in system(machine)}
    assert rows["cores"].verdict is Verdict.SLOW
    assert "0.2 by the cgroup's quota" in rows["cores"].found
    assert (rows["memory"].verdict, rows["memory"].found) == (Verdict.SLOW, "2.0 GiB, 2.0 free")


@pytest.mark.parametrize(("limit", "verdict"), [(256, "fails"), (2_000, "slow"), (4_096, "ok")])
def test_few_open_files_are_told_in_a_process_that_has_them(limit: int, verdict: str) -> None:
    code = (
        "import json, resource; from prism.doctor import Machine; from prism.doctor.system import system;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}));"
        "print(json.dumps({row.name: row.verdict.value for row in system(Machine())}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["open files"] == verdict


def test_locked_memory_matters_with_infiniband(tmp_path: Path) -> None:
    adapter(tmp_path, "mlx5_0", "4: ACTIVE")
    code = (
        "import resource, sys; from pathlib import Path; from prism.doctor import Machine;"
        "from prism.doctor.system import system; resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536));"
        "[print(row.verdict.value) for root in sys.argv[1:]"
        " for row in system(Machine(root=Path(root))) if row.name == 'locked memory']"
    )
    command = [sys.executable, "-c", code, str(tmp_path), "/nowhere"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["fails", "ok"]
