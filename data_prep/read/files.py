"""The files of a source: where they are, which reader they take, how they are opened."""

from __future__ import annotations

import fnmatch
import glob
import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import fsspec

from data_prep.errors import DataError
from data_prep.read.zstd import ZstdReader
from data_prep.schema import SourceConfig

WORLD = "world/"

_READERS = {
    "jsonl": "jsonl", "json": "jsonl", "ndjson": "jsonl", "parquet": "parquet", "pq": "parquet", "arrow": "arrow",
    "txt": "text", "md": "text", "py": "text",
}  # fmt: skip
_ABOUT = ("README*", "LICENSE*", "dataset_info*.json", "dataset_dict.json", "state.json")
"""Files that speak of a data set; they are read only where a pattern names them."""

_PACKED = (".gz", ".zst")


@dataclass(frozen=True)
class RawFile:
    """`name` is the path below the source's folder; `address` is what opens it; `stamp` changes with the content."""

    address: str
    name: str
    size: int
    stamp: str

    @property
    def packed(self) -> bool:
        return self.address.endswith(_PACKED)


def source_files(config: SourceConfig, directory: Path) -> list[RawFile]:
    """The files of a source, sorted by name. `directory` is the run's data folder, for `world/...`.

    Raises:
        DataError: there is none.
    """
    path = config.path
    if "://" in path:
        found = _remote(path, config)
    else:
        found = _local(directory / path if path.startswith(WORLD) else Path(path), config)
    if not found:
        raise DataError(
            "no file to read",
            place=path,
            remedy="correct the source's path or pattern, or bring the data with `prism data fetch`",
        )
    return sorted(found, key=lambda file: file.name)


def reader_of(config: SourceConfig, file: RawFile) -> str:
    """jsonl, parquet, arrow or text. Raises DataError when neither the recipe nor the name says so."""
    if config.reader != "auto":
        return config.reader
    name = file.name
    for ending in _PACKED:
        name = name.removesuffix(ending)
    reader = _READERS.get(name.rpartition(".")[2].lower())
    if reader is None:
        raise DataError(
            "the name doesn't say which reader the file takes",
            place=file.address,
            remedy="set the source's reader (jsonl, parquet, arrow or text), or its pattern",
        )
    return reader


def open_file(address: str) -> IO[bytes]:
    """A file for reading bytes, unpacked when its name ends in .gz or .zst."""
    raw: IO[bytes]
    if "://" in address:  # fsspec's files have no readline of a limited length
        raw = io.BufferedReader(fsspec.open(address, "rb").open(), 1 << 20)
    else:
        raw = Path(address).open("rb")  # noqa: SIM115
    if address.endswith(".gz"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb"))
    if address.endswith(".zst"):
        return cast(IO[bytes], io.BufferedReader(ZstdReader(raw), 1 << 20))
    return raw


def _local(path: Path, config: SourceConfig) -> list[RawFile]:
    if path.is_file():
        return [_raw(path, path.parent)]
    if path.is_dir():
        return [
            _raw(file, path) for file in path.rglob("*") if file.is_file() and _wanted(file.relative_to(path), config)
        ]
    matches = [Path(name) for name in glob.glob(str(path), recursive=True)]
    parents = {file.parent for file in matches}
    root = Path(str(path).partition("*")[0]).parent if len(parents) > 1 else next(iter(parents), path)
    return [_raw(file, root) for file in matches if file.is_file()]


def _wanted(relative: Path, config: SourceConfig) -> bool:
    if config.pattern == "*" and any(fnmatch.fnmatch(relative.name, name) for name in _ABOUT):
        return False
    if any(part.startswith(".") for part in relative.parts):
        return False
    if any(fnmatch.fnmatch(folder, pattern) for folder in relative.parts[:-1] for pattern in config.exclude):
        return False
    return fnmatch.fnmatch(relative.name, config.pattern) or fnmatch.fnmatch(relative.as_posix(), config.pattern)


def _raw(path: Path, root: Path) -> RawFile:
    info = path.stat()
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    return RawFile(str(path), name, info.st_size, str(info.st_mtime_ns))


def _remote(path: str, config: SourceConfig) -> list[RawFile]:
    """Files behind an address such as hf://datasets/<id>@<revision>/<folder>."""
    system, root = fsspec.core.url_to_fs(path)
    protocol = path.partition("://")[0]
    try:
        infos: dict[str, dict[str, Any]] = system.find(root, detail=True)
    except Exception as error:
        raise DataError(
            f"can't be listed ({type(error).__name__}: {error})",
            place=path,
            remedy="check the address and the network, or bring the data with `prism data fetch`",
        ) from None
    found = []
    for address, info in infos.items():
        name = address.removeprefix(root).lstrip("/") or address.rpartition("/")[2]
        if address == root or _wanted(Path(name), config):
            stamp = str(info.get("blob_id") or info.get("ETag") or info.get("mtime") or info.get("size"))
            found.append(RawFile(f"{protocol}://{address}", name, int(info.get("size") or 0), stamp))
    return found
