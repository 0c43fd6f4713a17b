"""A run of an older recipe isn't run again because its keys moved."""

from __future__ import annotations

from pathlib import Path

from prism.pipeline.graph import build_graph
from prism.pipeline.manifest import Manifest, NodeRecord
from prism.pipeline.sections import differences
from prism.recipe import load_recipe


def test_sections_that_an_older_release_wrote_are_those_of_today(tmp_path: Path) -> None:
    graph = build_graph(load_recipe("miniature"))
    manifest = Manifest(tmp_path)
    for name, node in graph.items():
        section = dict(node.section)
        if name in ("rl", "report"):
            placement = {**section["rl"]["placement"], "gpu_memory_gib": 79.0}
            aligner = {**section["rl"]["aligner"], "devices_per_node": 8, "partition": None, "mounts": []}
            section["rl"] = {**section["rl"], "placement": placement, "aligner": aligner}
        if name == "report":
            section["schema_version"] = 1
        manifest.nodes[name] = NodeRecord("finished", node.kind, section, {}, "2026-01-01", "0")
    manifest.save()
    read = Manifest.load(tmp_path)
    found = {name: differences(read.nodes[name].section, node.section) for name, node in graph.items()}
    assert {name: changes for name, changes in found.items() if changes} == {}
