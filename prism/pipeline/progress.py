"""What a user sees while a run works: a live line per node on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

_PLAIN_EVERY_S = 15.0
_TAIL_BYTES = 65_536
_DATA_WAIT_SHOWN = 0.05
"""Share of a step; less isn't worth a word."""


@dataclass(frozen=True)
class NodeProgress:
    """A running node: seconds so far, and its newest metrics if it writes any."""

    name: str
    seconds: float
    step: int | None = None
    steps: int | None = None
    value: str = ""

    def __str__(self) -> str:
        at = f"step {self.step}/{self.steps}" if self.step is not None else "working"
        parts = [self.name, at, self.value, duration(self.seconds)]
        return "  ".join(part for part in parts if part)


class Display(Protocol):
    """Where a run reports."""

    def say(self, line: str) -> None:
        """A line that stays."""

    def show(self, running: Sequence[NodeProgress]) -> None:
        """The nodes that run now; called often."""

    def close(self) -> None:
        """Leaves the terminal as it was."""


class PlainDisplay:
    """Lines without control characters, for logs and pipes: one every 15 s while nodes run."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def say(self, line: str) -> None:
        print(line, flush=True)

    def show(self, running: Sequence[NodeProgress]) -> None:
        if running and time.monotonic() - self._last >= _PLAIN_EVERY_S:
            self._last = time.monotonic()
            self.say("  running: " + " | ".join(str(node) for node in running))

    def close(self) -> None:
        pass


class LiveDisplay:
    """A block of live lines below the lines that stay."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()
        self._last = 0.0

    def say(self, line: str) -> None:
        self._live.console.print(Text(line))

    def show(self, running: Sequence[NodeProgress]) -> None:
        if time.monotonic() - self._last >= 0.25:
            self._last = time.monotonic()
            self._live.update(Group(*(_live_line(node) for node in running)), refresh=True)

    def close(self) -> None:
        self._live.stop()


def open_display() -> Display:
    """Live on a terminal, plain otherwise."""
    console = Console()
    return LiveDisplay(console) if console.is_terminal and not console.is_dumb_terminal else PlainDisplay()


def read_progress(name: str, seconds: float, metrics: Path, steps: int | None) -> NodeProgress:
    """A node's progress from the last whole line of its metrics.jsonl."""
    row = last_row(metrics)
    if row is None:
        return NodeProgress(name, seconds)
    return NodeProgress(name, seconds, row.get("step"), steps, _figures(row))


def last_row(file: Path) -> dict[str, Any] | None:
    """The last whole JSON line of a file that may be growing; None when there is none."""
    try:
        with file.open("rb") as handle:
            handle.seek(max(0, os.fstat(handle.fileno()).st_size - _TAIL_BYTES))
            lines = handle.read().split(b"\n")[:-1]
    except OSError:
        return None
    for line in reversed(lines):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            return row
    return None


def duration(seconds: float) -> str:
    """Seconds as a person reads them: 4.2 s, 3 min 05 s, 2 h 07 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _figures(row: dict[str, Any]) -> str:
    timing = row.get("timing") or {}
    if "reward" in row:
        pass_rate = row.get("pass_rate")
        solved = f", pass rate {100 * pass_rate:.0f}%" if isinstance(pass_rate, float) else ""
        return f"reward {row['reward']:.3f}{solved}"
    loss = row.get("loss")
    figures = [f"loss {loss:.3f}"] if isinstance(loss, float) else []
    if row.get("skipped"):
        figures.append("step skipped")
    return ", ".join([*figures, *_pace(timing)])


def _pace(timing: Mapping[str, Any]) -> list[str]:
    """Speed, use of the devices and time to the end, as far as they are known and tell something."""
    speed, own = timing.get("tokens_per_second"), timing.get("tokens_per_second_per_device")
    found = []
    if speed is not None:
        found.append(f"{speed:,.0f} tokens/s")
    if own is not None and own != speed:
        found.append(f"{own:,.0f} a device")
    if timing.get("mfu") is not None:
        found.append(f"MFU {100 * timing['mfu']:.1f}%")
    if (timing.get("data_wait") or 0.0) > _DATA_WAIT_SHOWN:
        found.append(f"data wait {100 * timing['data_wait']:.0f}%")
    if timing.get("slow_ranks"):
        found.append(f"slow: {timing['slow_ranks'][0]}")
    if timing.get("eta_seconds"):
        found.append(f"ETA {duration(timing['eta_seconds'])}")
    return found


def _live_line(node: NodeProgress) -> Text:
    width = 20
    if node.step is None or not node.steps:
        return Text(f"  {node}")
    filled = round(width * min(1.0, node.step / node.steps))
    return Text.assemble("  ", ("━" * filled, "green"), ("━" * (width - filled), "dim"), f" {node}")
