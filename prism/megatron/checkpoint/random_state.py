"""A rank's random state in a checkpoint: Python's, numpy's, torch's and megatron-core's trackers."""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from megatron.core.tensor_parallel.random import get_cuda_rng_tracker
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from prism.formats.step_state import Damaged
from prism.megatron.backend import backend

log = logging.getLogger("prism.megatron")


def file_name() -> str:
    """Of this rank's random state."""
    return f"rng_{dist.get_rank():05d}.safetensors"


def random_state() -> bytes:
    """This rank's state as a safetensors file."""
    _, words, gauss = random.getstate()
    numpy_state: Any = np.random.get_state(legacy=False)
    states = {
        "torch": torch.random.get_rng_state(),
        "python": torch.tensor(words, dtype=torch.int64),
        "python.gauss": _optional(gauss),
        "numpy": torch.from_numpy(numpy_state["state"]["key"].astype(np.int64)),
        "numpy.position": torch.tensor([numpy_state["state"]["pos"]], dtype=torch.int64),
        "numpy.gauss": _optional(numpy_state["gauss"] if numpy_state["has_gauss"] else None),
    }
    if backend().name == "cuda":
        states["cuda"] = torch.cuda.get_rng_state()
    states.update({f"tracker.{name}": state for name, state in get_cuda_rng_tracker().get_states().items()})
    return to_bytes({name: state.cpu() for name, state in states.items()})


def restore_random_state(path: Path, saved_layout: Any, own_layout: Any) -> None:
    """Takes back this rank's state, if the checkpoint was saved at this layout.

    Raises:
        Damaged: the file isn't a random state.
    """
    file = path / file_name()
    if not file.is_file() or (saved_layout is not None and saved_layout != own_layout):
        log.info("%s: saved at another layout; this rank keeps its fresh random state", path)
        return
    try:
        states = load_file(file)
        torch.random.set_rng_state(states.pop("torch"))
    except (SafetensorError, KeyError, RuntimeError, TypeError) as error:
        raise Damaged(f"{file.name} isn't a random state ({error})", path) from None
    if "python" in states:
        gauss = states.pop("python.gauss").tolist()
        random.setstate((3, tuple(states.pop("python").tolist()), gauss[0] if gauss else None))
    if "numpy" in states:
        gauss, position = states.pop("numpy.gauss").tolist(), int(states.pop("numpy.position"))
        words = states.pop("numpy").numpy().astype(np.uint32)
        np.random.set_state(("MT19937", words, position, int(bool(gauss)), gauss[0] if gauss else 0.0))
    if "cuda" in states:
        torch.cuda.set_rng_state(states.pop("cuda"))
    get_cuda_rng_tracker().set_states({name.removeprefix("tracker."): state for name, state in states.items()})


def _optional(value: float | None) -> torch.Tensor:
    return torch.tensor([] if value is None else [value], dtype=torch.float64)
