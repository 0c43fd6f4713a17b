"""A random draw of rows without replacement, the same whoever reads the rows and in whatever order.

Every row has a random key: a hash of the seed, its group and what identifies it. Of each group the rows with the
smallest keys are drawn. The first pass collects the keys, `combine_keys` finds the largest that is drawn, and the
second pass keeps the rows up to it.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from data_prep.errors import DataError
from data_prep.files import fingerprint, write_bytes
from data_prep.rows import Row, value
from data_prep.schema.source import SampleConfig

NOT_DRAWN = "not drawn"
NO_GROUP = "of no group of the draw"

Key = tuple[int, int]
"""64 bits by what identifies a row, then 64 bits by its place: rows with one identity are told apart by the second."""

_Keys = npt.NDArray[np.uint64]
"""shape (rows, 2)"""

_LARGEST = (1 << 64) - 1


class KeyWriter:
    """First pass: the keys of a unit's rows. Holds about twice the rows that are asked for, however many are added."""

    def __init__(self, config: SampleConfig) -> None:
        self._config = config
        self._smallest = {group: _Smallest(count) for group, count in config.counts.items()}

    def add(self, row: Row, place: str) -> None:
        """Raises DataError when the row lacks the column of the group or of the identity."""
        group = _group(row, self._config)
        if group is not None:
            self._smallest[group].add(_key(row, place, group, self._config))

    def save(self, path: Path) -> None:
        """Writes the smallest keys by group, and how many rows there were."""
        arrays: dict[str, npt.NDArray[np.generic]] = {"settings": np.array(_settings(self._config))}
        for number, smallest in enumerate(self._smallest.values()):
            arrays[f"keys_{number}"] = smallest.keys()
            arrays[f"rows_{number}"] = np.array(smallest.rows, dtype=np.int64)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_bytes(path, buffer.getvalue())


@dataclass(frozen=True)
class GroupDraw:
    """A group's draw: rows asked for, rows there are, and the largest key that is drawn."""

    asked: int
    rows: int
    largest: Key

    @property
    def drawn(self) -> int:
        return min(self.asked, self.rows)


@dataclass(frozen=True)
class Draw:
    """Which rows are drawn: second pass."""

    config: SampleConfig
    groups: dict[str, GroupDraw]

    def drop_reason(self, row: Row, place: str) -> str | None:
        """Why the row isn't drawn, or None. Raises DataError as `KeyWriter.add` does."""
        group = _group(row, self.config)
        if group is None:
            return NO_GROUP
        return None if _key(row, place, group, self.config) <= self.groups[group].largest else NOT_DRAWN

    def keeps(self, row: Row, place: str) -> bool:
        return self.drop_reason(row, place) is None

    def warnings(self) -> list[str]:
        """A line for each group that has fewer rows than were asked for; all of them are drawn."""
        return [
            f"{group}: {draw.asked:,} rows asked for, only {draw.rows:,} there; all are drawn"
            for group, draw in self.groups.items()
            if draw.rows < draw.asked
        ]


def combine_keys(folder: Path, config: SampleConfig) -> Draw:
    """The draw from what `KeyWriter.save` wrote to the folder, one file a unit.

    Raises:
        DataError: there is no file, one is damaged, or one was written for another draw.
    """
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise DataError("no keys of a draw", place=str(folder), remedy="run the first pass of the draw")
    smallest = {group: _Smallest(count) for group, count in config.counts.items()}
    for file in files:
        _read(file, config, smallest)
    return Draw(config, {group: one.draw() for group, one in smallest.items()})


class _Smallest:
    """The `count` smallest of the keys that were added."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.rows = 0
        self._keys: _Keys = np.empty((0, 2), dtype=np.uint64)
        self._added: list[Key] = []

    def add(self, key: Key) -> None:
        self.rows += 1
        self._added.append(key)
        if len(self._added) > max(self.count, 1024):
            self._prune()

    def add_all(self, keys: _Keys, rows: int) -> None:
        self.rows += rows
        self._keys = np.concatenate([self._keys, keys])
        self._prune()

    def keys(self) -> _Keys:
        """Sorted; shape (at most count, 2)."""
        self._prune()
        return self._keys

    def draw(self) -> GroupDraw:
        keys = self.keys()
        if self.rows <= self.count:
            largest = (_LARGEST, _LARGEST)
        elif self.count <= 0:
            largest = (-1, -1)
        else:
            largest = (int(keys[-1, 0]), int(keys[-1, 1]))
        return GroupDraw(self.count, self.rows, largest)

    def _prune(self) -> None:
        if self._added:
            self._keys = np.concatenate([self._keys, np.array(self._added, dtype=np.uint64)])
            self._added = []
        self._keys = self._keys[np.lexsort((self._keys[:, 1], self._keys[:, 0]))][: self.count]


def _group(row: Row, config: SampleConfig) -> str | None:
    name = str(value(row, config.by))
    return next((pattern for pattern in config.counts if fnmatch.fnmatchcase(name, pattern)), None)


def _key(row: Row, place: str, group: str, config: SampleConfig) -> Key:
    if config.key is None:
        return _hash(config.seed, group, place), 0
    return _hash(config.seed, group, str(value(row, config.key))), _hash(config.seed, group, place)


def _hash(seed: int, group: str, identity: str) -> int:
    content = f"{seed}\0{group}\0{identity}".encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())


def _settings(config: SampleConfig) -> str:
    return fingerprint({**config.model_dump(mode="json"), "counts": list(config.counts.items())})


def _read(file: Path, config: SampleConfig, smallest: dict[str, _Smallest]) -> None:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            if str(arrays["settings"]) != _settings(config):
                raise DataError("keys of another draw", place=str(file), remedy="delete the folder and run again")
            for number, one in enumerate(smallest.values()):
                one.add_all(arrays[f"keys_{number}"], int(arrays[f"rows_{number}"]))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"damaged keys ({error})", place=str(file), remedy="delete the file and run again") from None
