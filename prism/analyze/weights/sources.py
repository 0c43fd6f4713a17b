"""What can be compared: folders of Hugging Face, Megatron checkpoints, stages of a run, kept steps of a trajectory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from data_prep.errors import DataError
from data_prep.files import fingerprint, read_json
from prism.errors import BadInput, UsageError
from prism.formats.hf_folder import INDEX, SINGLE, HfFolder
from prism.formats.weights import Weights

if TYPE_CHECKING:
    from prism.formats.sparse_difference import StepWeights

_PRECISIONS = {torch.bfloat16: "bf16 export", torch.float32: "fp32 master", torch.float16: "fp16 export"}
_STEP = re.compile(r"(?:step|iter)_0*(\d+)$")


@dataclass(frozen=True)
class Source:
    """A model's weights by Hugging Face names.

    Args:
        name: what tables call it.
        place: file or folder of a tensor.
        key: changes when a tensor's stored bytes may have changed, without reading them.
        config: what config.json says; empty where there is none.
    """

    name: str
    weights: Weights
    kind: str
    place: Callable[[str], str]
    key: Callable[[str], str]
    config: dict[str, Any]

    @cached_property
    def types(self) -> dict[str, int]:
        """Elements by type."""
        found: Counter[str] = Counter()
        for name in self.weights.names():
            kind = str(self.weights.dtype(name)).removeprefix("torch.")
            found[kind] += torch.Size(self.weights.shape(name)).numel()
        return dict(found.most_common())

    @property
    def precision(self) -> str:
        """Of most of its elements: `bf16 export`, `fp32 master`."""
        kind: torch.dtype = getattr(torch, next(iter(self.types), "bfloat16"))
        return _PRECISIONS.get(kind, str(kind).removeprefix("torch."))


class Undescribed(BadInput):
    """A Megatron checkpoint without a config.json."""


def open_sources(texts: Sequence[str], names: Sequence[str], *, masters: bool = False) -> list[Source]:
    """Opens several; Megatron checkpoints without a config.json take that of the first source that has one.

    Raises:
        BadInput, UsageError: as `open_source`.
    """
    opened: dict[int, Source] = {}
    undescribed: dict[int, Undescribed] = {}
    for index, (text, name) in enumerate(zip(texts, names, strict=True)):
        try:
            opened[index] = open_source(text, name, masters=masters)
        except Undescribed as error:
            undescribed[index] = error
    for index, refused in undescribed.items():
        described = next((source for source in opened.values() if source.config), None)
        if described is None:
            raise refused
        opened[index] = open_source(texts[index], names[index], described, masters=masters)
    return [opened[index] for index in range(len(texts))]


def open_source(
    text: str, name: str | None = None, described_by: Source | None = None, *, masters: bool = False
) -> Source:
    """Opens a checkpoint; nothing but headers is read.

    Args:
        text: a folder (Hugging Face, torch_dist, or one that holds torch_dist checkpoints: the newest counts), or
            RUN:STAGE, a stage in the folder of a run: its export, or where it has none its newest checkpoint.
        described_by: whose config.json serves a Megatron checkpoint that carries none.
        masters: of a torch_dist checkpoint the optimizer's fp32 weights; of a stage its checkpoint, not its export.

    Raises:
        BadInput: there is no checkpoint, or it is damaged.
        UsageError: there is no such folder.
    """
    folder = named_folder(text)
    if not _is_checkpoint(folder):
        inner = [folder / "hf", folder / "checkpoints"][1 if masters else 0 :]
        folder = next((found for found in inner if found.is_dir()), folder)
    if _is_hf(folder):
        return _hf(folder, name or text)
    return _megatron(folder, name or text, described_by, masters)


def named_folder(text: str) -> Path:
    """The folder that a path or RUN:STAGE names. Raises UsageError when there is none."""
    path = Path(text)
    if path.is_dir():
        return path
    run, colon, stage = text.rpartition(":")
    if not colon or not Path(run).is_dir():
        raise UsageError("no such folder", place=text, remedy="give a folder with a checkpoint, or RUN:STAGE")
    stages = Path(run) / "stages"
    if not (stages / stage).is_dir():
        known = sorted(found.name for found in stages.iterdir() if found.is_dir()) if stages.is_dir() else []
        raise UsageError(
            f"the run has no stage {stage}", place=run, remedy=f"use one of {', '.join(known)}" if known else "run it"
        )
    return stages / stage


def step_in(name: str) -> int | None:
    """`step_00000040`, `iter_0000040` -> 40."""
    found = _STEP.search(name)
    return int(found[1]) if found else None


def step_source(folder: Path, step: int, weights: StepWeights | None = None) -> Source:
    """The weights of a trajectory's folder after a step; 0 is its start."""
    from prism.formats.sparse_difference import StepWeights

    found = weights or StepWeights(folder, step)
    return Source(f"step_{step}", found, "trajectory", lambda _: str(found.path), lambda _: found.content, {})


def _is_hf(folder: Path) -> bool:
    return any((folder / file).is_file() for file in (SINGLE, INDEX, "config.json"))


def _is_checkpoint(folder: Path) -> bool:
    """Else it may be a stage's folder, with an export or checkpoints in it. A Megatron checkpoint has `hf` too."""
    return _is_hf(folder) or (folder / ".metadata").is_file()


def _hf(folder: Path, name: str) -> Source:
    weights = HfFolder(folder)

    def place(tensor: str) -> str:
        return str(folder / weights.place(tensor)[0])

    def key(tensor: str) -> str:
        file, start = weights.place(tensor)
        found = (folder / file).stat()
        return fingerprint([str(folder.resolve()), file, start, found.st_size, found.st_mtime_ns])

    return Source(name, weights, "safetensors", place, key, _config(folder))


def _megatron(folder: Path, name: str, described_by: Source | None, masters: bool) -> Source:
    # here, because Hugging Face folders do without, and these take half a second to import
    from prism.formats.masters import MasterWeights
    from prism.formats.step_state import FILE_NAME, read_state
    from prism.formats.torch_dist_rows import TorchDistRows
    from prism.models.convert import find_checkpoint
    from prism.models.family import identify
    from prism.models.renamed import as_hf

    folder = find_checkpoint(folder)
    checkpoint = TorchDistRows(folder)
    checkpoint.check_files()
    candidates = [folder / "hf", *([folder.parent.parent / "hf"] if folder.parent.name == "checkpoints" else [])]
    candidates += [described_by.weights.path] if described_by is not None else []
    described = next((found for found in candidates if (found / "config.json").is_file()), None)
    if described is None:
        raise Undescribed(
            "the checkpoint carries no config.json, so its fused matrices can't be told apart",
            place=str(folder),
            remedy="compare it with a Hugging Face folder of the model, or export it: `prism convert megatron-to-hf`",
        )
    files = sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in folder.glob("*.distcp"))
    state = read_state(folder).files if (folder / FILE_NAME).is_file() else None
    sums = {file: found.xxh3 for file, found in (state or {}).items()}
    found = fingerprint([str(folder.resolve()), files, sums, masters])
    weights = as_hf(MasterWeights(checkpoint) if masters else checkpoint, identify(described))
    return Source(name, weights, "torch_dist", lambda _: str(folder), lambda _: found, _config(described))


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        return {}
    try:
        found = read_json(path)
    except DataError as error:
        raise BadInput(error.message, place=str(path), remedy="fetch the model's config.json again") from None
    if not isinstance(found, dict):
        raise BadInput("isn't a JSON object", place=str(path), remedy="fetch the model's config.json again")
    return found
