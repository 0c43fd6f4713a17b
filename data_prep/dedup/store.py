"""The files between the passes: a unit's keys, and what was found.

| file | holds |
|---|---|
| `<unit>.keys.npy` | uint64 (keys a document, documents): each row sorted |
| `<unit>.positions.npy` | uint32, same shape: which document has the key |
| `<unit>.sketches.npy` | uint8 (documents, bytes), minhash only |
| `<unit>.json` | documents of the unit; written last |
| `<part>-of-<parts>.found.npy` | uint64: document numbers that one part of the comparison found |
| `drops.npy` | uint64, sorted: all of them, unit << 32 with position |
| `drops.json` | the report; written last |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.dedup.signatures import Keys, Kind, Signer, Sketch
from data_prep.errors import DataError
from data_prep.files import atomic_writer, read_json, write_json

UNIT_SHIFT = 32
_HEADER = 128


@dataclass(frozen=True)
class DedupReport:
    """`unit_documents` counts the documents that reached the step, by unit."""

    kind: Kind
    documents: int
    dropped: int
    unit_documents: tuple[int, ...]


class UnitKeys:
    """Gathers a unit's keys; `save` writes them."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._positions: list[int] = []
        self._keys = bytearray()
        self._sketches = bytearray()
        self.documents = 0

    def add(self, text: str) -> None:
        signed = self._signer.sign(text)
        if signed is None:
            self._sketches += bytes(self._signer.sketch)
        else:
            self._positions.append(self.documents)
            self._keys += signed[0].tobytes()
            self._sketches += signed[1].tobytes()
        self.documents += 1

    def save(self, folder: Path, unit: int) -> None:
        keys = np.frombuffer(self._keys, np.uint64).reshape(-1, self._signer.keys).T.copy()
        positions = np.empty(keys.shape, np.uint32)
        own = np.array(self._positions, np.uint32)
        for row in range(len(keys)):
            order = np.argsort(keys[row], kind="stable")
            keys[row], positions[row] = keys[row][order], own[order]
        _save(_path(folder, unit, "keys.npy"), keys)
        _save(_path(folder, unit, "positions.npy"), positions)
        if self._signer.sketch:
            sketches = np.frombuffer(self._sketches, np.uint8).reshape(-1, self._signer.sketch)
            _save(_path(folder, unit, "sketches.npy"), sketches)
        write_json(_path(folder, unit, "json"), {"documents": self.documents})


def unit_documents(folder: Path, units: int) -> tuple[int, ...]:
    """Raises DataError when a unit's keys aren't there."""
    return tuple(int(read_json(_path(folder, unit, "json"))["documents"]) for unit in range(units))


def keys_between(folder: Path, unit: int, row: int, first: int, last: int) -> tuple[Keys, NDArray[np.uint64]]:
    """A unit's keys from `first` to `last`, both included, and the numbers of the documents that have them."""
    keys, positions = _load(_path(folder, unit, "keys.npy")), _load(_path(folder, unit, "positions.npy"))
    begin = int(np.searchsorted(keys[row], np.uint64(first), "left"))
    end = int(np.searchsorted(keys[row], np.uint64(last), "right"))
    numbers = positions[row, begin:end].astype(np.uint64) | np.uint64(unit << UNIT_SHIFT)
    return np.array(keys[row, begin:end]), numbers


def sketches_of(folder: Path, numbers: NDArray[np.uint64], size: int) -> NDArray[np.uint8]:
    """The sketches of documents by number. shape (documents, size)"""
    found = np.empty((len(numbers), size), np.uint8)
    units = (numbers >> np.uint64(UNIT_SHIFT)).astype(np.int64)
    order = np.argsort(units, kind="stable")
    cuts = np.flatnonzero(np.diff(units[order])) + 1
    for rows in np.split(order, cuts) if len(order) else ():
        sketches: Sketch = _load(_path(folder, int(units[rows[0]]), "sketches.npy"))
        found[rows] = sketches[(numbers[rows] & np.uint64(0xFFFFFFFF)).astype(np.int64)]
    return found


def save_found(folder: Path, part: int, parts: int, numbers: NDArray[np.uint64]) -> None:
    _save(_found_path(folder, part, parts), numbers)


def combine_found(folder: Path, kind: Kind, parts: int, documents: tuple[int, ...]) -> DedupReport:
    """Puts together what the parts found, and writes it with its report."""
    (folder / "drops.json").unlink(missing_ok=True)
    drops = _union(_load(_found_path(folder, part, parts)) for part in range(parts))
    _save(folder / "drops.npy", drops)
    report = DedupReport(kind, sum(documents), len(drops), documents)
    write_json(folder / "drops.json", asdict(report))
    return report


def read_drops(folder: Path, unit: int) -> tuple[NDArray[np.uint32], int]:
    """Sorted positions of a unit's documents to drop, and how many documents the unit has.

    Raises:
        DataError: the duplicates haven't been looked for, or not in this unit.
    """
    counts = read_json(folder / "drops.json")["unit_documents"]
    if unit >= len(counts):
        raise DataError(
            f"duplicates were looked for in {len(counts)} units, this is unit {unit}",
            place=str(folder / "drops.json"),
            remedy="delete the folder and run again",
        )
    drops = _load(folder / "drops.npy")
    begin, end = np.searchsorted(drops, np.array([unit << UNIT_SHIFT, (unit + 1) << UNIT_SHIFT], np.uint64))
    return drops[begin:end].astype(np.uint32), int(counts[unit])


def _union(found: Iterable[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    drops = np.empty(0, np.uint64)
    for numbers in found:
        drops = np.union1d(drops, numbers)
    return drops


def _path(folder: Path, unit: int, ending: str) -> Path:
    return folder / f"{unit:05d}.{ending}"


def _found_path(folder: Path, part: int, parts: int) -> Path:
    return folder / f"{part:05d}-of-{parts:05d}.found.npy"


def _save(path: Path, array: NDArray[Any]) -> None:
    with atomic_writer(path) as handle:
        np.lib.format.write_array(handle, array, allow_pickle=False)


def _load(path: Path) -> NDArray[Any]:
    try:
        mapped = path.stat().st_size > _HEADER  # an empty array can't be
        array: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
        return array
    except (OSError, ValueError) as error:
        raise DataError(
            f"can't be read ({error})", place=str(path), remedy="delete the work folder and run again"
        ) from None
