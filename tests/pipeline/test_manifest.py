"""Several processes write one manifest, and nothing that any of them noted is lost."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from prism.pipeline.manifest import Manifest, NodeRecord

WRITERS, NODES = 4, 12


def record(status: str = "finished") -> NodeRecord:
    return NodeRecord(status, "evaluate", {}, {}, "2026-01-01T00:00:00+00:00", "0")  # type: ignore[arg-type]


def write(directory: Path, writer: int, together: object) -> None:
    manifest = Manifest.load(directory)
    together.wait()  # type: ignore[attr-defined]
    for number in range(NODES):
        (directory / f"made-{writer}-{number}").write_text(str(number))
        manifest.measure(f"made-{writer}-{number}")
        manifest.nodes[f"node-{writer}-{number}"] = record()
        manifest.save()


def test_what_others_wrote_meanwhile_stays(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    together = context.Barrier(WRITERS)
    writers = [context.Process(target=write, args=(tmp_path, number, together)) for number in range(WRITERS)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    assert [process.exitcode for process in writers] == [0] * WRITERS
    manifest = Manifest.load(tmp_path)
    assert len(manifest.nodes) == len(manifest.artifacts) == WRITERS * NODES


def test_what_one_takes_out_and_changes_is_out_and_changed(tmp_path: Path) -> None:
    first = Manifest(tmp_path, {"a": record("started"), "b": record()})
    first.nodes["c"] = record()
    first.save()
    second = Manifest.load(tmp_path)
    second.nodes["a"] = record()
    del second.nodes["c"]
    second.nodes["d"] = record()
    second.save()
    first.nodes["e"] = record()
    first.save()
    nodes = Manifest.load(tmp_path).nodes
    assert nodes["a"].status == "finished" and set(nodes) == {"a", "b", "d", "e"} == set(first.nodes)
