"""What devices are and how much of it training reaches: the constants of `devices.yaml`, and a user's over them."""

from __future__ import annotations

import difflib
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from prism.errors import RecipeError, UsageError
from prism.recipe import ClusterConfig
from prism.recipe.recipe import merged

OWN = "PRISM_DEVICES"
"""Environment variable that names a file of the same form as `devices.yaml`, to be laid over it."""


class _Constants(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Device(_Constants):
    """flops: peak a second by precision; bytes_s: bytes a second, messages in one direction."""

    memory_gib: float
    flops: dict[str, float]
    memory_bytes_s: float
    link_bytes_s: float
    network_bytes_s: float
    host_bytes_s: float


class Efficiency(_Constants):
    """Shares of a device's peak; see `devices.yaml`."""

    matrix: float
    matrix_fp8: float
    attention: float
    scan: float
    memory: float
    link: float
    network: float
    decode: float
    kernel_s: float
    hidden_gradients: float
    hidden_tensor: float


class Overhead(_Constants):
    """Memory that no tensor accounts for."""

    context_gib: float
    group_gib: float
    slack: float


class Constants(_Constants):
    devices: dict[str, Device]
    efficiency: Efficiency
    overhead: Overhead


def constants() -> Constants:
    """Of `devices.yaml`, with the file that PRISM_DEVICES names laid over it.

    Raises:
        UsageError: that file can't be read.
    """
    return _read(os.environ.get(OWN))


def device_of(cluster: ClusterConfig, place: str = "cluster") -> Device:
    """The device that `cluster` names, with the memory that it states.

    Raises:
        RecipeError: there is no such device.
    """
    known = constants().devices
    if cluster.device not in known:
        near = difflib.get_close_matches(cluster.device, known, 1, 0.0)[0]
        raise RecipeError(
            f"unknown device {cluster.device!r}",
            place=f"{place}.device",
            remedy=f"did you mean {near}? Known are {', '.join(known)}; add your own in the file that {OWN} names",
        )
    device = known[cluster.device]
    if cluster.device_memory_gib is not None:
        device = device.model_copy(update={"memory_gib": cluster.device_memory_gib})
    return device


@cache
def _read(own: str | None) -> Constants:
    shipped: dict[str, Any] = yaml.safe_load(files("prism.plan").joinpath("devices.yaml").read_text())
    if own is None:
        return Constants.model_validate(shipped)
    try:
        content = yaml.safe_load(Path(own).read_text())
        return Constants.model_validate(merged(shipped, content))
    except (OSError, yaml.YAMLError, ValidationError, AttributeError) as error:
        raise UsageError(
            f"{own} can't be read as devices: {' '.join(str(error).split())}",
            place=OWN,
            remedy="write it as prism/plan/devices.yaml, with the keys that differ",
        ) from error
