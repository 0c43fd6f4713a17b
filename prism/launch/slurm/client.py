"""Slurm's own commands, called as they are; what they refuse becomes an error of one line."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prism.errors import PrismError, UsageError

_PASSED = ("HOME", "USER", "LOGNAME", "PATH", "LANG", "PYTHONPATH", "SLURM_CONF")
"""What a job takes along from where it is submitted, beside PRISM_* and the recipe's secrets."""
_GONE_WITHIN_S = 120.0


@dataclass(frozen=True)
class Queued:
    """A job, or an element of an array, that Slurm still has to do with. `index` is None outside of arrays."""

    job: str
    index: int | None
    state: str
    reason: str
    elapsed: str
    machines: str


def submit(script: Path, needs: Sequence[str], secrets: Iterable[str], *, even_if_failed: bool = False) -> str:
    """Submits `script` to begin when the jobs `needs` have succeeded, or ended; returns Slurm's number of it.

    Raises:
        UsageError: Slurm refuses it, isn't there, or a secret isn't in the environment.
    """
    options = ["--parsable", "--kill-on-invalid-dep=yes", f"--export={','.join(_exported(os.environ, secrets))}"]
    if needs:
        options.append(f"--dependency={'afterany' if even_if_failed else 'afterok'}:{':'.join(needs)}")
    return _call("sbatch", *options, str(script)).strip().partition(";")[0]


def queued(jobs: Iterable[str]) -> list[Queued]:
    """Those of `jobs` that wait, run or are about to end."""
    wanted = set(jobs)
    if not wanted:
        return []
    lines = _call("squeue", "--array", "--noheader", "--format=%F|%K|%T|%r|%M|%N").splitlines()
    rows = [line.split("|") for line in lines]
    return [
        Queued(job, int(index) if index.isdigit() else None, state, reason, elapsed, machines)
        for job, index, state, reason, elapsed, machines in rows
        if job in wanted
    ]


def cancel(jobs: Sequence[str]) -> list[Queued]:
    """Takes `jobs` out of the queue and waits until they are gone; returns those that aren't within two minutes."""
    if not jobs:
        return []
    _call("scancel", *jobs)
    end = time.monotonic() + _GONE_WITHIN_S
    while (left := queued(jobs)) and time.monotonic() < end:
        time.sleep(0.5)
    return left


def _exported(environment: Mapping[str, str], secrets: Iterable[str]) -> list[str]:
    missing = [name for name in secrets if name not in environment]
    if missing:
        raise UsageError(
            f"not in the environment: {', '.join(missing)}",
            place="cluster.slurm.secrets",
            remedy="export them before the call, or name cluster.slurm.secrets_file",
        )
    own = [name for name in environment if name in _PASSED or name.startswith("PRISM_")]
    return [*own, *secrets]


def _call(program: str, *arguments: str) -> str:
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UsageError(
            f"{program} isn't on this machine",
            place="cluster.slurm",
            remedy="call it where jobs are submitted, or use --cluster local",
        ) from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise SlurmError(f"{program} refused: {said[-1]}", place=" ".join(arguments[-1:]), remedy="see cluster.slurm")
    return done.stdout


class SlurmError(PrismError):
    """Slurm refused a job, or doesn't answer."""

    exit_code = 2
