"""The samples file of a task: a line a prompt, appended batch by batch, so that a killed evaluation goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_prep.files import sync_directory
from prism.megatron.checkpoint.ranks import first_ranks, is_first


class SamplesFile:
    """Lines that are there already, and the place where the next ones go.

    Batches begin at fixed places, so that a resumed run asks the same batches as an uninterrupted one: lines beyond the
    last whole batch, such as one that a kill cut short, are thrown away.

    Args:
        key: of what the lines depend on; lines under another are thrown away.
        total: lines of the finished file.
        at_once: lines of a batch; the last has fewer.
    """

    def __init__(self, path: Path, key: str, total: int, at_once: int) -> None:
        self._path, self._key, self._at_once = path, key, at_once
        found = first_ranks(self._read(total) if is_first() else [])
        whole = len(found) if len(found) == total else len(found) - len(found) % at_once
        self.lines: list[dict[str, Any]] = [line for line, _ in found[:whole]]
        """What metrics are made of: without the texts, which are gigabytes where responses are long."""
        self._end = found[whole - 1][1] if whole else 0

    def append(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Writes a batch and waits until it is on the disk. All ranks call it together; the first one writes."""
        content = b"".join(
            json.dumps({**line, "key": self._key}, ensure_ascii=False).encode() + b"\n" for line in lines
        )
        if is_first():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("r+b" if self._path.exists() else "w+b") as file:
                file.truncate(self._end)
                file.seek(self._end)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if not self._end:
                sync_directory(self._path.parent)
        self._end += len(content)
        self.lines += map(_without_texts, lines)

    def _read(self, total: int) -> list[tuple[dict[str, Any], int]]:
        """Lines of this key from the beginning on, each with the byte where it ends; at most `total`."""
        found: list[tuple[dict[str, Any], int]] = []
        if not self._path.is_file():
            return found
        end = 0
        with self._path.open("rb") as file:
            for text in file:
                end += len(text)
                line = _whole(text)
                if line is None or line.get("key") != self._key or len(found) == total:
                    break
                found.append((_without_texts(line), end))
        return found


def _without_texts(line: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in line.items() if name != "prompt"}
    kept["responses"] = [{**one, "text": None} for one in line["responses"]]
    kept["greedy"] = {**line["greedy"], "text": None} if line["greedy"] is not None else None
    return kept


def _whole(text: bytes) -> dict[str, Any] | None:
    """The line, unless it was cut short."""
    try:
        line = json.loads(text) if text.endswith(b"\n") else None
    except ValueError:
        return None
    return line if isinstance(line, dict) else None
