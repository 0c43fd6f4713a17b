"""Folders that are whole or absent: filled under a hidden name beside their own, synced, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_prep.files import sync_directory, write_bytes
from prism.errors import ResourcesExhausted, UsageError

_CARRIED = (".json", ".txt", ".model", ".jinja", ".md", ".tiktoken")
_WEIGHT_FILES = (".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pth", ".gguf")


@contextmanager
def whole_folder(final: Path, size: int) -> Iterator[Path]:
    """Gives an empty hidden folder to fill; it takes the name `final` when the block ends well, else it is removed.

    What a killed run left under the hidden name is removed first.

    Args:
        size: bytes that will be written.

    Raises:
        ResourcesExhausted: the disk has no room for `size`, or is full while the folder is filled.
        UsageError: `final` exists and isn't empty.
    """
    refuse_existing(final)
    temporary = hidden(final)
    shutil.rmtree(temporary, ignore_errors=True)
    check_room(final, size)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for folder, _, files in os.walk(temporary, topdown=False):
            for name in files:
                _sync(Path(folder) / name)
            sync_directory(Path(folder))
        take_name(temporary, final)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ResourcesExhausted(
            "the disk is full", place=str(final.parent), remedy="free space, or write to another disk"
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def hidden(final: Path) -> Path:
    """The name that a folder has until it is whole."""
    return final.with_name(f".{final.name}.tmp")


def refuse_existing(final: Path) -> None:
    """Raises UsageError when something is there already; an empty folder isn't."""
    if final.is_dir() and not any(final.iterdir()):
        return
    if final.exists():
        raise UsageError("the target exists", place=str(final), remedy="remove it, or name another")


def check_room(final: Path, size: int) -> None:
    """Raises ResourcesExhausted when the disk has less than `size` bytes free."""
    parent = final.parent
    while not parent.exists():
        parent = parent.parent
    free = shutil.disk_usage(parent).free
    if size > free:
        raise ResourcesExhausted(
            f"{size / 2**30:.1f} GiB are needed, {free / 2**30:.1f} GiB are free",
            place=str(parent),
            remedy="free space, or write to another disk",
        )


def take_name(temporary: Path, final: Path) -> None:
    """Renames a folder whose files are synced."""
    sync_directory(temporary)
    if final.exists():
        final.rmdir()
    temporary.rename(final)
    sync_directory(final.parent)


def carry(source: Path, target: Path) -> None:
    """Copies configuration and tokenizer of a Hugging Face folder, everything that isn't weights."""
    target.mkdir(exist_ok=True)
    for file in sorted(source.iterdir()):
        if file.is_file() and file.suffix in _CARRIED and not file.name.endswith(_WEIGHT_FILES):
            write_bytes(target / file.name, file.read_bytes())


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
