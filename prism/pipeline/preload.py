"""Imports the engine once, in the server that single-process nodes are forked from.

A process that has touched CUDA can't be forked, so with a device nothing is imported here and every node imports
for itself.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path

_ROOMS = (
    "torch",
    "prism.train",
    "prism.rl",
    "prism.longcontext",
    "prism.evaluate",
    "prism.analyze.run",
    "prism.analyze.landscape",
    "prism.report",
    "data_prep.api",
)


def cuda_may_be_used() -> bool:
    return os.environ.get("PRISM_BACKEND") != "cpu" and Path("/dev/nvidiactl").exists()


if not cuda_may_be_used():
    for room in _ROOMS:
        importlib.import_module(room)
