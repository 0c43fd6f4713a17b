"""Slurm, and the containers that its jobs start in: Enroot, with the plugin Pyxis."""

from __future__ import annotations

from collections.abc import Iterator

from prism.doctor.machine import Machine
from prism.doctor.row import Row, Verdict


def scheduler(machine: Machine, partition: str | None) -> Iterator[Row]:
    """`partition`: one that must be there."""
    yield _slurm(machine, partition)
    yield _enroot(machine)
    yield _pyxis(machine)


def _slurm(machine: Machine, partition: str | None) -> Row:
    version = machine.ask("sbatch", "--version")
    if version is None:
        return Row(
            "cluster", "slurm", "no sbatch", Verdict.UNNEEDED, "call it on a login node, or install slurm-client"
        )
    answer = machine.ask("sinfo", "--noheader", "--format=%R %D %T") if version.code == 0 else version
    if answer is None or answer.code != 0:
        found = "no sinfo" if answer is None else answer.first_line
        remedy = "is slurm.conf there, and slurmctld up? see `scontrol ping`"
        return Row("cluster", "slurm", found, Verdict.UNNEEDED, remedy)
    lines = [line.split() for line in answer.output.splitlines() if len(line.split()) >= 3]
    names = sorted({line[0] for line in lines})
    if partition is not None and partition not in names:
        found = f"no partition {partition}; there are {', '.join(names)}"
        return Row("cluster", "slurm", found, Verdict.FAILS, "set cluster.slurm.partition to one of them")
    up = [line for line in lines if line[2].rstrip("*~#!%$@^-").lower() in _USABLE]
    nodes = sum(int(line[1]) for line in up if line[1].isdigit())
    found = f"{version.first_line}; {', '.join(names)}: {nodes} nodes idle or at work"
    if not nodes:
        return Row("cluster", "slurm", found, Verdict.UNNEEDED, "no node takes jobs: see `sinfo -R`")
    return Row("cluster", "slurm", found, Verdict.OK)


_USABLE = ("idle", "mixed", "allocated", "completing")


def _enroot(machine: Machine) -> Row:
    answer = machine.ask("enroot", "version")
    if answer is None:
        return Row("cluster", "enroot", "none", Verdict.UNNEEDED, "install enroot, or run without a container image")
    if answer.code != 0:
        return Row("cluster", "enroot", answer.first_line, Verdict.UNNEEDED, "see /etc/enroot/enroot.conf")
    return Row("cluster", "enroot", answer.first_line, Verdict.OK)


def _pyxis(machine: Machine) -> Row:
    answer = machine.ask("srun", "--help")
    if answer is not None and "--container-image" in answer.output:
        return Row("cluster", "pyxis", "srun takes --container-image", Verdict.OK)
    found = "no srun" if answer is None else "srun knows no --container-image"
    return Row("cluster", "pyxis", found, Verdict.UNNEEDED, "load spank_pyxis.so in Slurm's plugstack.conf")
