"""Asks the kernel for checkpoints while torch is still being imported: by then the first gigabytes are in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

_MOST_BYTES = 4 << 30
_MOST_SHARE = 0.25
"""Of the memory that is available."""
_STEP_BYTES = 32 << 20


def begin_reading(texts: Sequence[str]) -> None:
    """Returns at once; a thread that ends with the process goes through the sources side by side.

    Args:
        texts: as the commands take them; only safetensors are asked for, and what isn't there isn't.
    """
    if hasattr(os, "posix_fadvise"):
        Thread(target=_ask, args=([_files(text) for text in texts], _limit()), daemon=True).start()


def _ask(sources: Sequence[Sequence[Path]], limit: int) -> None:
    left = limit
    running = [_pieces(files) for files in sources]
    with suppress(OSError):  # whoever reads the file says what is wrong with it
        while running and left > 0:
            for pieces in list(running):
                path, start = next(pieces, (None, 0))
                if path is None:
                    running.remove(pieces)
                    continue
                with path.open("rb", buffering=0) as file:
                    os.posix_fadvise(file.fileno(), start, _STEP_BYTES, os.POSIX_FADV_WILLNEED)
                left -= _STEP_BYTES


def _pieces(files: Sequence[Path]) -> Iterator[tuple[Path, int]]:
    for path in files:
        for start in range(0, path.stat().st_size, _STEP_BYTES):
            yield path, start


def _files(text: str) -> list[Path]:
    run, _, stage = text.rpartition(":")
    for folder in (Path(text), Path(text) / "hf", Path(run) / "stages" / stage / "hf"):
        if found := sorted(folder.glob("*.safetensors")):
            return found
    return []


def _limit() -> int:
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        return min(_MOST_BYTES, int(_MOST_SHARE * 1024 * int(lines["MemAvailable"].split()[0])))
    except (OSError, KeyError, ValueError):
        return 0
