"""Changes to saved checkpoints, as accidents or other hands make them."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from data_prep.files import fingerprint

Damage = Callable[[Path], None]
"""Changes the checkpoint in a folder."""


class Hostile:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this must not run",))


def flip(name: str, place: float) -> Damage:
    """Turns over one byte; `place` is a share of the file."""

    def change(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[min(int(place * len(content)), len(content) - 1)] ^= 0xFF
        (folder / name).write_bytes(content)

    return change


def truncate(name: str, share: float) -> Damage:
    def change(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return change


def missing(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def replaced(name: str, content: bytes) -> Damage:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return change


def taken_from(name: str, step: int) -> Damage:
    """Puts another checkpoint's file in place."""

    def change(folder: Path) -> None:
        shutil.copy(folder.with_name(f"step_{step:08d}") / name, folder / name)

    return change


def signed(values: Mapping[str, Any]) -> str:
    """state.json with a checksum that is right, as a program would write it."""
    plain = {key: value for key, value in values.items() if key != "checksum"}
    return json.dumps({**plain, "checksum": fingerprint(plain)})


def said(**changes: Any) -> Damage:
    """Lets state.json say something else, with a checksum that is right."""

    def change(folder: Path) -> None:
        state = folder / "state.json"
        state.write_text(signed({**json.loads(state.read_text()), **changes}))

    return change


def inside(section: str, **changes: Any) -> Damage:
    """The same in a section of state.json."""

    def change(folder: Path) -> None:
        values = json.loads((folder / "state.json").read_text())
        said(**{section: {**values[section], **changes}})(folder)

    return change


def sealed(change_first: Damage, *names: str) -> Damage:
    """Another change, and checksums that are right for it: what only reading finds."""

    def change(folder: Path) -> None:
        from prism.formats.checksums import sum_file

        change_first(folder)
        files = json.loads((folder / "state.json").read_text())["files"]
        sums = {name: sum_file(folder / name) for name in names}
        said(files=files | {name: {"bytes": found.bytes, "xxh3": found.xxh3} for name, found in sums.items()})(folder)

    return change


def without_tensor(key: str) -> Damage:
    """Takes a tensor out of .metadata."""

    def change(folder: Path) -> None:
        found = pickle.loads((folder / ".metadata").read_bytes())
        del found.state_dict_metadata[key]
        (folder / ".metadata").write_bytes(pickle.dumps(found))

    return change


def without_blocks(key: str) -> Damage:
    """Takes the blocks of a tensor out of .metadata."""

    def change(folder: Path) -> None:
        found = pickle.loads((folder / ".metadata").read_bytes())
        found.state_dict_metadata[key].chunks.clear()
        (folder / ".metadata").write_bytes(pickle.dumps(found))

    return change


def hostile_tensor(folder: Path) -> None:
    """Puts a pickle that runs code where a tensor's archive is."""
    found = pickle.loads((folder / ".metadata").read_bytes())
    where = next(place for index, place in found.storage_data.items() if index.fqn.endswith("final_layernorm.weight"))
    torch.save(Hostile(), folder / "hostile.pt")
    content = (folder / "hostile.pt").read_bytes()
    (folder / "hostile.pt").unlink()
    file = folder / where.relative_path
    place = file.stat().st_size
    with file.open("ab") as handle:
        handle.write(content)
    where.offset, where.length = place, len(content)
    (folder / ".metadata").write_bytes(pickle.dumps(found))


def foreign_random_state(folder: Path) -> None:
    save_file({"torch": torch.zeros(3)}, folder / "rng_00000.safetensors")


def rename_to(step: int) -> Damage:
    def change(folder: Path) -> None:
        folder.rename(folder.with_name(f"step_{step:08d}"))

    return change
