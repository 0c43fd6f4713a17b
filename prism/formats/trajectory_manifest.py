"""What a trajectory's folder says of itself: weights in bf16 at steps of a stage, as differences from its start.

| file | what |
|---|---|
| `trajectory.json` | the start: which checkpoint, which files; written last, so where it is the start is whole |
| `start/` | the start's weights in bf16, a Hugging Face folder without config.json |
| `step_00000020.safetensors` | what differs from the start after step 20 (see `prism.formats.sparse_difference`) |
| `step_00000020.json` | its size, checksum, and how many elements of each tensor changed; written last |

Reading these needs no torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import DataError
from data_prep.files import read_json, write_json
from prism import __version__
from prism.errors import BadInput
from prism.recipe.versions import Format

TRAJECTORY = Format("trajectory", 1)
_START = "trajectory.json"
_STEP = re.compile(r"step_(\d{8,})\.json$")
_AGAIN = "remove the folder and run the stage again, or copy it again from where it was whole"


@dataclass(frozen=True)
class KeptFile:
    """Size in bytes and XXH3 (128 bits, hexadecimal) of a file."""

    bytes: int
    xxh3: str


@dataclass(frozen=True)
class Start:
    """The weights that all steps differ from.

    checkpoint: identity of the checkpoint that they were read from.
    content: a hash of `files`, which names them.
    bytes: of all tensors in bf16.
    """

    checkpoint: str
    content: str
    bytes: int
    files: Mapping[str, KeptFile]


@dataclass(frozen=True)
class TensorChange:
    """How many of a tensor's elements have other bits than at the start, and the bytes that say which and how."""

    elements: int
    changed: int
    bytes: int


@dataclass(frozen=True)
class StepChange:
    """A kept step.

    start: `content` of the start that it differs from.
    dense_bytes: what its weights would take in bf16.
    """

    step: int
    start: str
    file: KeptFile
    dense_bytes: int
    tensors: Mapping[str, TensorChange]

    @property
    def changed_percent(self) -> float:
        """Elements with other bits than at the start; of no elements, none."""
        elements = sum(tensor.elements for tensor in self.tensors.values())
        return 100 * sum(tensor.changed for tensor in self.tensors.values()) / elements if elements else 0.0


@dataclass(frozen=True)
class Saved:
    """What a trajectory takes on the disk, and what its steps would take as whole bf16 weights; all in bytes.

    The start is kept whole, once; `bytes` is without it.
    """

    steps: int
    bytes: int
    dense_bytes: int
    start_bytes: int

    @property
    def share(self) -> float:
        """Bytes of the differences over those of whole weights; 1 where no step is kept."""
        return self.bytes / self.dense_bytes if self.dense_bytes else 1.0


def steps(folder: Path) -> list[int]:
    """Steps that are kept whole, ascending."""
    if not folder.is_dir():
        return []
    found = (_STEP.match(file.name) for file in folder.iterdir())
    return sorted(int(match[1]) for match in found if match)


def saved(folder: Path) -> Saved:
    """What the differences save.

    Raises:
        BadInput: a manifest is missing or damaged.
    """
    kept = [read_step(folder, step) for step in steps(folder)]
    return Saved(
        len(kept),
        sum(step.file.bytes for step in kept),
        sum(step.dense_bytes for step in kept),
        sum(file.bytes for file in read_start(folder).files.values()),
    )


def step_file(folder: Path, step: int) -> Path:
    return folder / f"step_{step:08d}.safetensors"


def has_start(folder: Path) -> bool:
    return (folder / _START).is_file()


def read_start(folder: Path) -> Start:
    """Raises BadInput when it is missing, damaged, or another release's."""
    content = _read(folder / _START)
    try:
        files = {name: KeptFile(**file) for name, file in content["files"].items()}
        return Start(content["checkpoint"], content["content"], content["bytes"], files)
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder / _START, error) from None


def write_start(folder: Path, start: Start) -> None:
    write_json(folder / _START, {**_HEAD, **asdict(start)})


def read_step(folder: Path, step: int) -> StepChange:
    """Raises BadInput when the step isn't kept, or its manifest is damaged or another release's."""
    path = _step_path(folder, step)
    if not path.is_file():
        kept = ", ".join(map(str, steps(folder))) or "none"
        raise BadInput(
            f"step {step} isn't kept; kept are {kept}",
            place=str(folder),
            remedy="name one of them, or add the step to rl.trajectory before the stage runs",
        )
    content = _read(path)
    try:
        tensors = {name: TensorChange(**tensor) for name, tensor in content["tensors"].items()}
        file = KeptFile(**content["file"])
        found = StepChange(content["step"], content["start"], file, content["dense_bytes"], tensors)
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from None
    if found.step != step:
        raise BadInput(f"it is of step {found.step}", place=str(path), remedy=_AGAIN)
    return found


def write_step(folder: Path, change: StepChange) -> None:
    """Makes a step count as kept. Its file must be there already."""
    summary = {"bytes": change.file.bytes, "changed_percent": change.changed_percent}
    write_json(_step_path(folder, change.step), {**_HEAD, **summary, **asdict(change)})


_HEAD = {"schema_version": TRAJECTORY.version, "release": __version__}


def _step_path(folder: Path, step: int) -> Path:
    return step_file(folder, step).with_suffix(".json")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except (DataError, OSError) as error:
        raise BadInput(str(getattr(error, "message", error)), place=str(path), remedy=_AGAIN) from None
    return TRAJECTORY.migrate(content, str(path))


def _damaged(path: Path, error: Exception) -> BadInput:
    return BadInput(f"lacks what it should say ({type(error).__name__}: {error})", place=str(path), remedy=_AGAIN)
