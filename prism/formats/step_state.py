"""state.json: what a checkpoint says of itself. It is written last, so a folder that has one was whole.

| key | what |
|---|---|
| `schema_version`, `release` | of this file, and which release wrote it |
| `step` | steps done |
| `state` | what the training loop wants to remember, plain JSON |
| `files` | every other file: `bytes` and `xxh3` |
| `layout` | sizes that the model was spread by when it was saved |
| `model` | the model's shape |
| `optimizer_step` | steps that the optimizer took; null where its state isn't kept |
| `checksum` | SHA-256 of all of the above |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import DataError
from data_prep.files import fingerprint, read_json, write_json
from prism import __version__
from prism.errors import BadInput
from prism.formats.checksums import FileSum, damage, sum_folder
from prism.recipe.versions import CHECKPOINT

FILE_NAME = "state.json"
_READERS = 4
_NAME = re.compile(r"step_(\d{8})$")


class Damaged(BadInput):
    """A checkpoint that isn't what was saved; an earlier one may be sound."""

    def __init__(self, what: str, path: Path) -> None:
        super().__init__(what, place=str(path), remedy="copy the checkpoint again, or go back to an earlier one")


@dataclass(frozen=True)
class StepState:
    """What state.json says; None where the release that wrote it didn't keep it."""

    step: int
    state: Mapping[str, Any]
    files: Mapping[str, FileSum] | None = None
    layout: Mapping[str, Any] | None = None
    model: Mapping[str, Any] | None = None
    optimizer_step: int | None = None


def step_of(folder: Path) -> int | None:
    """The step in a checkpoint's name, None for other names."""
    found = _NAME.match(folder.name)
    return int(found[1]) if found else None


def write_state(folder: Path, content: StepState) -> None:
    """Makes `folder` a checkpoint. Everything else must be in it already."""
    files = {name: asdict(found) for name, found in (content.files or {}).items()}
    plain = {
        "schema_version": CHECKPOINT.version,
        "release": __version__,
        **asdict(content),
        "files": files,
    }
    write_json(folder / FILE_NAME, {**plain, "checksum": fingerprint(plain)})


def seal(folder: Path, step: int, state: Mapping[str, Any]) -> None:
    """Makes a folder of torch_dist files a checkpoint: sums up what is in it and writes state.json."""
    write_state(folder, StepState(step, state, sum_folder(folder, [FILE_NAME, "plan.json"])))


def check_sums(folder: Path) -> None:
    """Holds a checkpoint's files against the sums that it keeps of them; Megatron-LM's own and older ones have none.

    Raises:
        Damaged: a file isn't what was saved.
    """
    if not (folder / FILE_NAME).is_file():
        return
    files = read_state(folder).files or {}
    with ThreadPoolExecutor(_READERS) as pool:
        wrong = [word for word in pool.map(lambda name: damage(folder / name, files[name]), sorted(files)) if word]
    if wrong:
        raise Damaged("; ".join(wrong), folder)


def read_state(folder: Path) -> StepState:
    """Reads state.json; the other files aren't looked at.

    Raises:
        Damaged: it is missing, isn't JSON, or isn't what was written.
        BadInput: another release reads it.
    """
    try:
        content = read_json(folder / FILE_NAME)
    except (DataError, OSError) as error:
        what = "is missing" if not (folder / FILE_NAME).exists() else f"can't be read ({_first_line(error)})"
        raise Damaged(f"{FILE_NAME} {what}", folder) from None
    if not isinstance(content, dict):
        raise Damaged(f"{FILE_NAME} isn't an object", folder)
    checksum = content.pop("checksum", None)
    if checksum is None and content.get("schema_version") == CHECKPOINT.version:
        raise Damaged(f"{FILE_NAME} lacks its checksum", folder)
    if checksum is not None and checksum != fingerprint(content):
        raise Damaged(f"{FILE_NAME} has another checksum", folder)
    content = CHECKPOINT.migrate(content, str(folder))
    try:
        found = _parsed(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(f"{FILE_NAME} lacks what it should say ({type(error).__name__}: {error})", folder) from None
    named = step_of(folder)
    if named is not None and named != found.step:
        raise Damaged(f"{FILE_NAME} is of step {found.step}, the folder of step {named}", folder)
    return found


def _parsed(content: Mapping[str, Any]) -> StepState:
    files = content["files"]
    if not isinstance(content["state"], dict) or not isinstance(content["step"], int):
        raise TypeError("step or state")
    return StepState(
        step=content["step"],
        state=content["state"],
        files=None if files is None else {name: FileSum(**found) for name, found in files.items()},
        layout=content["layout"],
        model=content["model"],
        optimizer_step=content.get("optimizer_step"),
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
