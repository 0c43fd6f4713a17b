"""Cores, memory, shared memory, and the limits of processes."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

from prism.doctor.infiniband import ports
from prism.doctor.machine import Machine
from prism.doctor.row import Row, Verdict

_GIB = 2**30
_FILES, _PROCESSES = 4_096, 4_096
_LEAST_MEMORY_GIB, _LEAST_SHARED_GIB = 4, 1


def system(machine: Machine) -> Iterator[Row]:
    """What the kernel gives this process."""
    yield _cores(machine)
    yield _memory(machine)
    yield _shared(machine)
    yield _limit("open files", resource.RLIMIT_NOFILE, _FILES, "ulimit -n 65536; in Slurm: PropagateResourceLimits")
    yield _limit("processes", resource.RLIMIT_NPROC, _PROCESSES, "ulimit -u 65536, or limits.d on the nodes")
    yield _locked(machine)


def _cores(machine: Machine) -> Row:
    usable, there = len(os.sched_getaffinity(0)), os.cpu_count() or 1
    quota = _quota(machine)
    found = f"{usable} of {there}" + ("" if quota is None else f", {quota:.3g} by the cgroup's quota")
    few = quota is not None and quota < usable - 0.5
    remedy = "keep run.workers x run.threads within the quota, or raise it (docker --cpus, Slurm --cpus-per-task)"
    return Row("system", "cores", found, Verdict.SLOW if few else Verdict.OK, remedy if few else "")


def _quota(machine: Machine) -> float | None:
    words = (machine.read("/sys/fs/cgroup/cpu.max") or "max").split()
    return None if words[0] == "max" or len(words) < 2 else int(words[0]) / int(words[1])


def _memory(machine: Machine) -> Row:
    total = _meminfo(machine, "MemTotal")
    free = _meminfo(machine, "MemAvailable")
    limit = machine.read("/sys/fs/cgroup/memory.max")
    if limit and limit.isdigit() and int(limit) < total:
        total, free = int(limit), min(free, int(limit))
    found = f"{total / _GIB:.1f} GiB, {free / _GIB:.1f} free"
    if free < _LEAST_MEMORY_GIB * _GIB:
        return Row(
            "system", "memory", found, Verdict.SLOW, "end what else runs, or take a larger node: see `prism plan`"
        )
    return Row("system", "memory", found, Verdict.OK)


def _meminfo(machine: Machine, key: str) -> int:
    for line in (machine.read("/proc/meminfo") or "").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1_024
    return 0


def _shared(machine: Machine) -> Row:
    """/dev/shm carries NCCL's messages within a node and the data workers' batches."""
    try:
        status = os.statvfs(machine.root / "dev/shm")
    except OSError:
        return Row("system", "shared memory", "no /dev/shm", Verdict.SLOW, "mount a tmpfs on /dev/shm")
    size = status.f_blocks * status.f_frsize
    found = f"{size / _GIB:.2f} GiB in /dev/shm"
    small = size < _LEAST_SHARED_GIB * _GIB
    remedy = "start the container with --shm-size=16g or --ipc=host" if small else ""
    return Row("system", "shared memory", found, Verdict.SLOW if small else Verdict.OK, remedy)


def _limit(name: str, kind: int, least: int, remedy: str) -> Row:
    soft, hard = resource.getrlimit(kind)
    if soft == resource.RLIM_INFINITY or soft >= least:
        return Row("system", name, _number(soft), Verdict.OK)
    found = f"{_number(soft)}, at most {_number(hard)}; {least:,} are wanted"
    return Row("system", name, found, Verdict.FAILS if soft < least // 8 else Verdict.SLOW, remedy)


def _locked(machine: Machine) -> Row:
    """InfiniBand registers memory, which has to be locked; without InfiniBand the limit means nothing."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft == resource.RLIM_INFINITY or not ports(machine):
        return Row("system", "locked memory", _number(soft), Verdict.OK)
    remedy = "memlock unlimited in limits.d and in slurmd's service (LimitMEMLOCK=infinity)"
    return Row("system", "locked memory", f"{_number(soft)} bytes; InfiniBand wants no limit", Verdict.FAILS, remedy)


def _number(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else f"{limit:,}"
