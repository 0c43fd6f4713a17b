"""Python and the packages that this release is tested with."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from prism.doctor.machine import Machine, Pin
from prism.doctor.row import Row, Verdict

_GROUPS: dict[str | None, tuple[str, ...]] = {
    None: ("pydantic", "omegaconf", "typer", "rich", "jinja2"),
    "engine": ("torch", "megatron-core", "numpy", "psutil", "safetensors", "tokenizers"),
    "data": ("datatrove", "duckdb", "huggingface_hub", "pyarrow"),
}
_EXACT = ("torch", "megatron-core")
"""Kernels are built for one torch, and the engine reaches into one megatron-core: another version is a fault."""


def packages(machine: Machine) -> Iterator[Row]:
    """Python, then each package against its pin."""
    version = platform.python_version()
    fits = platform.python_version_tuple()[:2] in (("3", "11"), ("3", "12"))
    yield Row("packages", "python", version, Verdict.OK if fits else Verdict.FAILS, "use Python 3.11 or 3.12")
    pins = {(pin.extra, pin.package): pin for pin in machine.pins()}
    if not pins:
        yield Row(
            "packages",
            "prism-megatron",
            "not installed: its pins aren't known",
            Verdict.FAILS,
            "run `make setup`, or pip install -e '.[engine,data]'",
        )
    for extra, names in _GROUPS.items():
        for name in names:
            yield _row(machine, name, pins.get((extra, name)) or Pin(name, "", extra))


def package_names(extra: str | None) -> tuple[str, ...]:
    """Rows of an extra, by which a use says that it needs them."""
    return _GROUPS[extra]


def _row(machine: Machine, name: str, pin: Pin) -> Row:
    found = machine.version(name)
    if found is None:
        return Row("packages", name, "missing", Verdict.UNNEEDED, install(pin))
    if not pin.version or found.partition("+")[0] == pin.version:
        return Row("packages", name, found, Verdict.OK)
    verdict = Verdict.FAILS if name in _EXACT else Verdict.SLOW
    return Row("packages", name, f"{found}, tested with {pin.version}", verdict, install(pin))


def install(pin: Pin) -> str:
    """The command that installs what a pin says."""
    if pin.package == "torch":
        index = "" if not pin.version else f"=={pin.version}"
        return f"pip install torch{index} before all else, then rebuild the fused kernels"
    if pin.package == "megatron-core":
        return f"pip install megatron-core=={pin.version}" if pin.version else "pip install -e '.[engine]'"
    return f"pip install -e '.[{pin.extra}]'" if pin.extra else "pip install -e ."
