"""`prism merge` of two checkpoint folders: Hugging Face, Megatron, or one of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Any

import torch

from data_prep.files import write_json
from prism.errors import UsageError
from prism.formats.content_hash import content_hash
from prism.formats.hf_folder import HfFolder
from prism.formats.step_state import check_sums
from prism.formats.threads import one_thread_each
from prism.formats.torch_dist_rows import TorchDistRows
from prism.formats.weights import Weights
from prism.formats.whole_folder import carry, check_room, refuse_existing, whole_folder
from prism.longcontext.compare import Compared, Side, compare
from prism.longcontext.mix import Mixture
from prism.longcontext.write_hf import write_hf
from prism.longcontext.write_megatron import write_megatron
from prism.models.convert import default_workers, find_checkpoint
from prism.models.family import identify
from prism.models.renamed import as_hf, as_megatron

PROVENANCE = "prism_merge.json"
_SCHEMA_VERSION = 1
_OVERHEAD_BYTES = 16 << 20
"""Room for what is written beside the weights."""


@dataclass(frozen=True)
class MergePlan:
    """Two checkpoints that fit together, and what the user should know of them. Nothing is written yet."""

    base: Side
    trained: Side
    out: Path
    base_weight: float
    compared: Compared
    sources: tuple[HfFolder | TorchDistRows, HfFolder | TorchDistRows]

    @property
    def notes(self) -> list[str]:
        return list(self.compared.notes)

    @property
    def bytes(self) -> int:
        """Of the weights that will be written."""
        weights = self.trained.weights
        return sum(
            torch.Size(weights.shape(name)).numel() * weights.dtype(name).itemsize for name in self.compared.names
        )


@dataclass(frozen=True)
class Merge:
    """What was made: where, tensors and bytes written."""

    path: Path
    tensors: int
    bytes: int


def plan_merge(base: Path, trained: Path, out: Path, base_weight: float) -> MergePlan:
    """Opens both checkpoints and compares them.

    Args:
        base: Hugging Face folder, torch_dist checkpoint, or the folder that holds such checkpoints (the newest counts).
        out: folder to write, of the format that `trained` has.

    Raises:
        BadInput: a checkpoint is missing or damaged, or they aren't of one model.
        ResourcesExhausted: the disk is too small.
        UsageError: `out` exists.
    """
    if not 0 <= base_weight <= 1:
        raise UsageError(f"the base's weight is {base_weight}", place="--base-weight", remedy="give 0 to 1")
    refuse_existing(out)
    old, new = _open(base), _open(trained)
    sides = Side("base", _as(old, new), _description(old)), Side("trained", new, _description(new))
    plan = MergePlan(*sides, out, base_weight, compare(*sides), (old, new))
    check_room(out, plan.bytes + _OVERHEAD_BYTES)
    return plan


def merge(plan: MergePlan, progress: Callable[[int], None] = lambda _: None) -> Merge:
    """Writes what was planned. `plan.out` has its name when it is whole; a kill leaves a hidden folder at most.

    Memory is that of a few blocks of rows, whatever the model.

    Args:
        progress: told the number of bytes written, from several threads.

    Raises:
        BadInput: a file is damaged, or a weight isn't finite.
        ResourcesExhausted: the disk is full.
    """
    old, new = plan.sources
    names = plan.compared.names
    mixture = Mixture(plan.base.weights, plan.trained.weights, plan.base_weight, plan.compared.copied)
    workers, inner = default_workers(), Path()
    with (
        whole_folder(plan.out, plan.bytes + _OVERHEAD_BYTES) as folder,
        one_thread_each(),
        _hashing(old, new) as hashes,
    ):

        def describe(made: Path) -> None:
            write_json(made / PROVENANCE, _provenance(plan, hashes()))

        if isinstance(new, HfFolder):
            carry(new.path, folder)
            write_hf(folder, mixture, new, names, workers, progress)
            describe(folder)
        else:
            state = {"merged": [str(old.path), str(new.path)], "base_weight": plan.base_weight}
            made = write_megatron(folder, mixture, new, set(names), state, describe, workers, progress)
            inner = made.relative_to(folder)
    return Merge(plan.out / inner, len(names), plan.bytes)


def _open(path: Path) -> HfFolder | TorchDistRows:
    if not path.is_dir():
        raise UsageError("no such folder", place=str(path), remedy="give a folder with a checkpoint")
    if (path / "config.json").is_file():
        return HfFolder(path)
    found = find_checkpoint(path)
    checkpoint = TorchDistRows(found)
    checkpoint.check_files()
    check_sums(found)
    return checkpoint


def _description(checkpoint: HfFolder | TorchDistRows) -> Path | None:
    folder = checkpoint.path if isinstance(checkpoint, HfFolder) else checkpoint.path / "hf"
    return folder if (folder / "config.json").is_file() else None


def _as(old: HfFolder | TorchDistRows, new: HfFolder | TorchDistRows) -> Weights:
    """The base under the names that `new` uses."""
    if isinstance(old, HfFolder) and isinstance(new, TorchDistRows):
        return as_megatron(old, identify(old.path))
    if isinstance(old, TorchDistRows) and isinstance(new, HfFolder):
        return as_hf(old, identify(new.path))
    return old


@contextmanager
def _hashing(*sources: HfFolder | TorchDistRows) -> Iterator[Callable[[], list[str]]]:
    """Hashes the sources meanwhile, while their pages are in the cache; what is given waits for the hashes."""
    stopped = Event()
    with ThreadPoolExecutor(len(sources)) as pool:
        running = [pool.submit(content_hash, source, _in_order(source), stopped) for source in sources]
        try:
            yield lambda: [future.result() for future in running]
        finally:
            stopped.set()


def _in_order(source: HfFolder | TorchDistRows) -> list[str]:
    """Names in the order in which they are merged, so that both find the file's pages in the cache."""
    return sorted(source.names(), key=source.place) if isinstance(source, HfFolder) else source.names()


def _provenance(plan: MergePlan, hashes: list[str]) -> dict[str, Any]:
    inputs = {
        side: {
            "path": str(source.path),
            "format": "safetensors" if isinstance(source, HfFolder) else "torch_dist",
            "content": found,
            "weight": weight,
        }
        for side, source, found, weight in zip(
            ("base", "trained"), plan.sources, hashes, (plan.base_weight, 1 - plan.base_weight), strict=True
        )
    }
    made_by = {"prism-megatron": version("prism-megatron"), "torch": torch.__version__}
    return {"schema_version": _SCHEMA_VERSION, "method": "linear", **inputs, "notes": plan.notes, "made_by": made_by}
