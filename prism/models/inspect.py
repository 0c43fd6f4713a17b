"""What checkpoints hold, and how two of them differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch

from prism.errors import UsageError
from prism.formats.hf_folder import HfFolder
from prism.formats.torch_dist import TorchDist
from prism.models.convert import find_checkpoint
from prism.models.family import identify


def open_checkpoint(path: Path) -> HfFolder | TorchDist:
    """Either format, told by its files.

    Raises:
        BadInput: it is neither, or damaged.
    """
    if (path / "config.json").is_file():
        return HfFolder(path)
    return TorchDist(find_checkpoint(path))


def describe(path: Path, *, tensors: bool = False) -> Iterator[str]:
    """Lines for the user."""
    checkpoint = open_checkpoint(path)
    origin = checkpoint.path if isinstance(checkpoint, HfFolder) else checkpoint.path / "hf"
    yield f"format:     {'Hugging Face safetensors' if isinstance(checkpoint, HfFolder) else 'torch_dist'}"
    if (origin / "config.json").is_file():
        model = identify(origin)
        pattern = f", pattern {model.hybrid_pattern}" if model.hybrid_pattern else ""
        yield f"model:      {model.family}, {model.num_layers} layers of {model.hidden_size}{pattern}"
    names = checkpoint.names()
    elements = {name: torch.Size(checkpoint.shape(name)).numel() for name in names}
    types = Counter(str(checkpoint.dtype(name)).removeprefix("torch.") for name in names)
    yield f"tensors:    {len(names):,} ({', '.join(f'{count:,} {kind}' for kind, count in types.items())})"
    yield f"parameters: {sum(elements.values()):,}"
    if tensors:
        for name in sorted(names):
            shape = "x".join(map(str, checkpoint.shape(name)))
            yield f"{name}  {shape}  {str(checkpoint.dtype(name)).removeprefix('torch.')}"


def differences(first: Path, second: Path) -> tuple[int, list[str]]:
    """Number of tensors, and a line for each that is in one only or not the same bit for bit.

    Raises:
        UsageError: the two are of different formats.
    """
    one, other = open_checkpoint(first), open_checkpoint(second)
    if type(one) is not type(other):
        raise UsageError(
            "the two are of different formats", place=str(second), remedy="convert one with `prism convert` first"
        )
    found = []
    names = sorted({*one.names(), *other.names()})
    for name in names:
        if name not in one or name not in other:
            found.append(f"{name}: only in {first if name in one else second}")
        elif one.shape(name) != other.shape(name):
            found.append(f"{name}: {one.shape(name)} and {other.shape(name)}")
        else:
            old, new = one.read(name), other.read(name)
            if old.dtype != new.dtype:
                found.append(f"{name}: {old.dtype} and {new.dtype}")
            elif not torch.equal(old, new):
                old, new = old.double(), new.double()
                relative = float((new - old).norm() / old.norm().clamp(min=1e-300))
                largest = float((new - old).abs().max())
                found.append(f"{name}: largest difference {largest:.3g}, relative {relative:.3g}")
    return len(names), found
