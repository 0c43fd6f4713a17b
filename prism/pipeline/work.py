"""The scheduler's view of a run: decides for each node, starts it, and takes note of what it made."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data_prep.files import read_json
from prism import __version__
from prism.errors import BadInput, Requeue
from prism.launch import Launcher, Worker
from prism.pipeline.attempts import begin_attempt, end_attempt, read_attempts
from prism.pipeline.decide import Verdict, judge, measure_inputs
from prism.pipeline.goodput import goodput
from prism.pipeline.links import Node
from prism.pipeline.manifest import Manifest, NodeRecord
from prism.pipeline.node import NodeResult, log_file, read_result, result_file
from prism.pipeline.progress import Display, duration, read_progress
from prism.pipeline.reuse import Reuse

_ASIDE = "replaced"
_LOG_LINES = 15


@dataclass(frozen=True)
class Tally:
    """What became of a run's nodes, by name."""

    ran: tuple[str, ...]
    skipped: tuple[str, ...]


class RunWork:
    """Implements `prism.pipeline.scheduler.Work` on a graph, a manifest and a launcher.

    Args:
        processes: how many work on a node.
        since: when the machines that work on it were taken, in seconds since 1970; None means when it begins.
    """

    def __init__(
        self,
        graph: Mapping[str, Node],
        manifest: Manifest,
        launcher: Callable[[Node], Launcher],
        display: Display,
        reuse: Reuse,
        processes: Callable[[Node], int],
        since: float | None = None,
    ) -> None:
        self._graph = graph
        self._manifest = manifest
        self._launcher = launcher
        self._display = display
        self._reuse = reuse
        self._processes = processes
        self._since = since
        self._ran: list[str] = []
        self._skipped: list[str] = []
        self._unsaid: list[str] = []

    @property
    def tally(self) -> Tally:
        return Tally(tuple(self._ran), tuple(self._skipped))

    def begin(self, name: str) -> Worker | None:
        node, directory = self._graph[name], self._manifest.directory
        parents = measure_inputs(node, self._manifest)
        verdict = judge(node, self._manifest, parents)
        if verdict.what == "skip":
            self._skipped.append(name)
            self._unsaid.append(name)
            return None
        if verdict.what != "resume" and (found := self._reuse.find(node, parents)) is not None:
            self.tell_skipped()
            self._set_aside(node)
            if found.take(self._manifest):
                self._skipped.append(name)
                self._display.say(f"{name}: taken from {found.directory}, which did the same")
                return None
        self._announce(node, verdict)
        if (furnished := self._reuse.furnish(node, self._manifest)) is not None:
            self._display.say(f"  with what {furnished} prepared")
        result_file(directory, name).unlink(missing_ok=True)
        self._manifest.nodes[name] = NodeRecord("started", node.kind, node.section, parents, _now(), __version__)
        self._manifest.save()
        begin_attempt(directory, name, self._processes(node), self._since)
        return self._launcher(node).start(directory, name, log_file(directory, name))

    def end(self, name: str, code: int, seconds: float) -> int:
        node, directory = self._graph[name], self._manifest.directory
        result = read_result(directory, name)
        if result is not None:
            code = result.exit_code
        error = result.error if result is not None else None
        end_attempt(directory, name, code)
        if code == 0:
            try:
                for path in node.outputs:
                    self._manifest.measure(path)
            except BadInput as missing:
                code, error = 1, f"ended without all that it makes: {missing}"
        if code == Requeue.exit_code:
            self.tell_skipped()
            self._display.say(f"{name}: left; goes on from its last checkpoint when the run is started again")
            return code
        if code != 0:
            self._tell_failure(name, code, error)
            return code if code > 0 else 1
        self._manifest.nodes[name] = replace(
            self._manifest.nodes[name],
            status="finished",
            outputs=node.outputs,
            seconds=round(seconds, 3),
            finished=_now(),
            events=(*self._events(name), *_containment(result), *self._goodput(name)),
        )
        self._manifest.save()
        self._ran.append(name)
        self._display.say(f"{name}: done in {duration(seconds)}")
        return 0

    def watch(self, running: Mapping[str, float]) -> None:
        shown = []
        for name, seconds in running.items():
            node = self._graph[name]
            metrics = self._manifest.directory / "stages" / name / "metrics.jsonl"
            shown.append(read_progress(name, seconds, metrics, node.steps))
        self._display.show(shown)

    def _events(self, name: str) -> tuple[dict[str, Any], ...]:
        file = self._manifest.directory / "stages" / name / "events.json"
        return tuple(read_json(file)) if file.is_file() else ()

    def _goodput(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """Which share of its time the node's steps took, where it has steps."""
        directory = self._manifest.directory
        found = goodput(read_attempts(directory, name), directory / "stages" / name / "metrics.jsonl")
        return (found.as_event(),) if found.share is not None else ()

    def tell_skipped(self) -> None:
        """Says which nodes were skipped since the last line."""
        if self._unsaid:
            self._display.say(f"skipped: unchanged: {', '.join(self._unsaid)}")
            self._unsaid.clear()

    def _announce(self, node: Node, verdict: Verdict) -> None:
        self.tell_skipped()
        match verdict.what:
            case "resume":
                self._display.say(f"{node.name}: unfinished, goes on")
            case "again":
                self._display.say(f"{node.name}: runs again:")
                for reason in verdict.reasons:
                    self._display.say(f"  {reason}")
                self._set_aside(node)
            case _:
                self._display.say(f"{node.name}: starts")
                self._set_aside(node)

    def _set_aside(self, node: Node) -> None:
        """Moves what the node owns out of the way, over what lay there from an earlier time."""
        directory = self._manifest.directory
        for path in node.owns:
            if not (directory / path).exists():
                continue
            aside = directory / _ASIDE / path
            _remove(aside)
            aside.parent.mkdir(parents=True, exist_ok=True)
            (directory / path).rename(aside)
            self._display.say(f"  {path} moved to {_ASIDE}/{path}")

    def _tell_failure(self, name: str, code: int, error: str | None) -> None:
        self.tell_skipped()
        log = log_file(self._manifest.directory, name)
        ended = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._display.say(f"{name}: failed ({ended}); log: {log}")
        if error is not None:
            self._display.say(f"  {error}")
        elif log.exists():
            for line in log.read_text(errors="replace").splitlines()[-_LOG_LINES:]:
                self._display.say(f"  | {line}")


def _containment(result: NodeResult | None) -> tuple[dict[str, Any], ...]:
    """What contained model-written programs, where the node ran any."""
    return () if result is None or result.sandbox is None else ({"sandbox": result.sandbox},)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
