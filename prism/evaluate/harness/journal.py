"""Answers on disk as they come, so that an interrupted task goes on where it was."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from prism.megatron.checkpoint.ranks import first_ranks, is_first

log = logging.getLogger("prism.evaluate")
Item = TypeVar("Item")


class Journal:
    """The harness asks the same things in the same order each time: answers are known by their place.

    Args:
        path: None keeps nothing.
        key: of the checkpoint, the task and its data; answers under another are thrown away.
        at_once: answers between two writes.
    """

    def __init__(self, path: Path | None = None, key: str = "", at_once: int = 2_048) -> None:
        self._path, self._key, self._at_once = path, key, at_once
        self._calls = 0
        self._kept = first_ranks(self._read() if is_first() else {})

    def answered(self, items: Sequence[Item], answer: Callable[[Sequence[Item]], list[Any]], what: str) -> list[Any]:
        """An answer an item, plain JSON; those that are known aren't asked for again. All ranks call it together.

        Args: what: names the items in the log.
        """
        call, self._calls = self._calls, self._calls + 1
        done = self._kept.get(call, [])[: len(items)]
        if done:
            log.info("%d of %d %s are there already", len(done), len(items), what)
        while len(done) < len(items):
            found = answer(items[len(done) : len(done) + self._at_once])
            self._write(call, found)
            done = done + found
            log.info("%d of %d %s", len(done), len(items), what)
        return done

    def end(self) -> None:
        """The results are written: the answers aren't needed any more."""
        if self._path is not None and is_first():
            self._path.unlink(missing_ok=True)

    def _write(self, call: int, answers: list[Any]) -> None:
        if self._path is None or not is_first():
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps({"key": self._key, "call": call, "answers": answers}) + "\n")

    def _read(self) -> dict[int, list[Any]]:
        """What an interrupted run left; a line that it didn't finish ends it."""
        kept: dict[int, list[Any]] = {}
        if self._path is None or not self._path.is_file():
            return kept
        whole = []
        for text in self._path.read_text().splitlines(keepends=True):
            try:
                line = json.loads(text) if text.endswith("\n") else {}
            except ValueError:
                line = {}
            if line.get("key") != self._key:
                break
            whole.append(text)
            kept.setdefault(line["call"], []).extend(line["answers"])
        self._path.write_text("".join(whole))
        return kept
