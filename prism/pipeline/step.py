"""What a batch job does around the work of a node: `python -m prism.pipeline.step begin|end RUN_DIRECTORY NODE ...`.

| call | exit code |
|---|---|
| `begin` | 0: do the work; 10: it is done and unchanged; others: it can't begin |
| `end --code N` | what the node's work ended with: 0 done, 85 saved and wants to go on, others failed |
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from prism.errors import UsageError
from prism.launch import Launcher, Worker
from prism.pipeline.attempts import read_attempts
from prism.pipeline.graph import build_graph
from prism.pipeline.manifest import Manifest
from prism.pipeline.node import RECIPE_FILE
from prism.pipeline.progress import PlainDisplay
from prism.pipeline.reuse import Reuse
from prism.pipeline.run import processes_of
from prism.pipeline.work import RunWork
from prism.recipe import load_recipe

NOTHING_TO_DO = 10


class _StartedElsewhere:
    """The job's script starts the processes; here nothing runs."""

    def start(self, run_directory: Path, node: str, log: Path) -> Worker:
        return self

    def poll(self) -> int | None:
        return 0

    def stop(self) -> None:
        pass

    def ask_to_leave(self) -> None:
        pass


def begin(run_directory: Path, name: str, since: float | None = None) -> int:
    """Notes that the node starts; sets aside what an earlier recipe made."""
    work = _work(run_directory, name, since)
    if work.begin(name) is None:
        work.tell_skipped()
        return NOTHING_TO_DO
    return 0


def end(run_directory: Path, name: str, code: int) -> int:
    """Notes what became of the node; returns the exit code that counts."""
    tried = read_attempts(run_directory, name)
    work = _work(run_directory, name, None)
    return work.end(name, code, time.time() - tried[-1].began if tried else 0.0)


def _work(run_directory: Path, name: str, since: float | None) -> RunWork:
    recipe = load_recipe(run_directory / RECIPE_FILE)
    graph = build_graph(recipe)
    if name not in graph:
        raise UsageError(f"no node {name!r}", place=str(run_directory), remedy=f"use one of {', '.join(graph)}")
    launcher: Launcher = _StartedElsewhere()
    return RunWork(
        graph,
        Manifest.load(run_directory),
        lambda node: launcher,
        PlainDisplay(),
        Reuse(()),
        lambda node: processes_of(recipe, node),
        since=since,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="prism.pipeline.step")
    parser.add_argument("what", choices=["begin", "end"])
    parser.add_argument("run", type=Path)
    parser.add_argument("node")
    parser.add_argument("--since", type=float)
    parser.add_argument("--code", type=int, default=0)
    asked = parser.parse_args()
    try:
        if asked.what == "begin":
            sys.exit(begin(asked.run, asked.node, asked.since))
        sys.exit(end(asked.run, asked.node, asked.code))
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if code is None:
            raise
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
