"""Options of the executors, as they are written on a command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from data_prep.errors import UsageError

Kind = Literal["local", "slurm", "ray"]
Value = str | int | float | bool

SLURM: Mapping[str, Value] = {
    "partition": "",
    "time": "",
    "qos": "",
    "cpus_per_task": 1,
    "mem_per_cpu_gb": 2,
    "tasks_per_job": 1,
    "max_array_size": 0,
    "requeue": True,
    "env_command": "",
}
"""With their defaults; an empty one is left to the cluster. All others are sbatch's own, such as account=NAME.
`env_command` prepares a task's shell; by default it finds this Python's programs. Tasks beyond `max_array_size` go into
further arrays; by default it is what the cluster allows."""

RAY: Mapping[str, Value] = {
    "address": "",
    "cpus_per_task": 1,
    "mem_per_cpu_gb": 2.0,
    "tasks_per_job": 1,
    "time": 0,
}
"""With their defaults. `address` of the cluster: by default RAY_ADDRESS, one that was started here, or one of its own;
`time` in seconds after which a task is stopped, 0 for never."""

_OURS = ("array", "dependency", "error", "export", "job-name", "output", "wait", "wrap")
"""What the preparation itself tells sbatch."""


def read_options(kind: Kind, given: Mapping[str, str]) -> tuple[dict[str, Value], dict[str, str]]:
    """The executor's own, each of the type of its default; and those that are sbatch's.

    Raises:
        UsageError: one is unknown, or isn't of its type.
    """
    known = {"local": {}, "slurm": SLURM, "ray": RAY}[kind]
    options, others = dict(known), dict[str, str]()
    for key, text in given.items():
        name = key.replace("-", "_")
        if name in known:
            options[name] = _read(kind, name, text, known[name])
        elif kind == "slurm" and name.replace("_", "-") not in _OURS:
            others[name.replace("_", "-")] = text
        else:
            raise UsageError(
                f"no option {key!r}",
                place=f"--executor {kind}",
                remedy=f"use {', '.join(known)}" if known else "add --executor slurm or ray, or leave it out",
            )
    return options, others


def _read(kind: Kind, name: str, text: str, default: Value) -> Value:
    wanted = type(default)
    try:
        return {"true": True, "false": False}[text.lower()] if wanted is bool else wanted(text)
    except (KeyError, ValueError):
        words = {bool: "true or false", int: "a whole number", float: "a number"}[wanted]
        raise UsageError(
            f"{name} is {words}, not {text!r}", place=f"--executor {kind}", remedy="correct the option"
        ) from None
