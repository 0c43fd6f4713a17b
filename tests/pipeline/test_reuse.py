"""What another run did alike is taken over; what is only nearly alike isn't."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from prism import __version__
from prism.pipeline.links import Node
from prism.pipeline.manifest import Manifest, NodeRecord
from prism.pipeline.reuse import Reuse, link

NODE = Node("base", "pretrain", {"midtrain": {"steps": 3}}, ("data/tokenizer.json",), ("stages/base/checkpoints",))
PARENTS = {"data/tokenizer.json": "abc"}


@pytest.fixture
def other(tmp_path: Path) -> Manifest:
    """A run that has finished the node."""
    manifest = Manifest(tmp_path / "other")
    step = manifest.directory / "stages/base/checkpoints/step_3"
    step.mkdir(parents=True)
    for name in ("weights.distcp", ".metadata", "rows.jsonl", ".weights.distcp.12.tmp"):
        (step / name).write_text(name)
    manifest.measure(NODE.outputs[0])
    manifest.nodes["base"] = NodeRecord(
        "finished", NODE.kind, NODE.section, PARENTS, "then", __version__, NODE.outputs, 1.5, "later"
    )
    manifest.save()
    return manifest


def test_a_finished_node_is_linked_with_its_record_and_hashes(other: Manifest, tmp_path: Path) -> None:
    found = Reuse([tmp_path / "nowhere", other.directory]).find(NODE, PARENTS)
    mine = Manifest(tmp_path / "mine")
    assert found is not None and found.take(mine)
    again = Manifest.load(mine.directory)
    assert again.nodes["base"] == other.nodes["base"]
    assert again.artifacts[NODE.outputs[0]].sha256 == other.artifacts[NODE.outputs[0]].sha256
    there, here = (run.directory / "stages/base/checkpoints/step_3" for run in (other, mine))
    assert sorted(path.name for path in here.iterdir()) == [".metadata", "rows.jsonl", "weights.distcp"]
    assert (there / "weights.distcp").samefile(here / "weights.distcp")
    assert not (there / "rows.jsonl").samefile(here / "rows.jsonl")  # may be appended to


@pytest.mark.parametrize(
    ("node", "parents"),
    [
        (replace(NODE, section={"midtrain": {"steps": 4}}), PARENTS),
        (replace(NODE, kind="midtrain"), PARENTS),
        (replace(NODE, name="another"), PARENTS),
        (replace(NODE, outputs=(*NODE.outputs, "stages/base/hf")), PARENTS),
        (NODE, {"data/tokenizer.json": "other content"}),
        (NODE, {**PARENTS, "data/more": "def"}),
    ],
)
def test_another_section_kind_name_output_or_input_is_not_the_same(
    other: Manifest, node: Node, parents: dict[str, str]
) -> None:
    assert Reuse([other.directory]).find(node, parents) is None


@pytest.mark.parametrize("change", [{"status": "started"}, {"code_version": "0.0"}])
def test_work_that_isnt_finished_or_of_another_release_is_not_taken(other: Manifest, change: dict[str, str]) -> None:
    other.nodes["base"] = replace(other.nodes["base"], **change)  # type: ignore[arg-type]
    other.save()
    assert Reuse([other.directory]).find(NODE, PARENTS) is None


@pytest.mark.parametrize("damage", ["altered", "gone"])
def test_outputs_that_were_altered_or_are_gone_are_not_taken(other: Manifest, damage: str) -> None:
    file = other.directory / "stages/base/checkpoints/step_3/weights.distcp"
    file.unlink()
    if damage == "altered":
        file.write_text("something else")
    assert Reuse([other.directory]).find(NODE, PARENTS) is None


def test_what_vanishes_while_it_is_taken_leaves_nothing_behind(other: Manifest, tmp_path: Path) -> None:
    found = Reuse([other.directory]).find(NODE, PARENTS)
    (other.directory / "stages").rename(other.directory / "replaced")
    mine = Manifest(tmp_path / "mine")
    assert found is not None and not found.take(mine)
    assert mine.nodes == {} and not list(mine.directory.rglob("step_*"))


def test_a_file_is_copied_where_it_cant_be_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError("another file system")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a").write_text("content")
    link(tmp_path / "from", tmp_path / "deep" / "to")
    copied = tmp_path / "deep" / "to" / "a"
    assert copied.read_text() == "content"
    assert copied.stat().st_mtime_ns == (tmp_path / "from" / "a").stat().st_mtime_ns


def test_data_is_furnished_only_to_a_run_that_has_none_and_only_from_the_same_sources(tmp_path: Path) -> None:
    other = Manifest(tmp_path / "other")
    (other.directory / "data/sources").mkdir(parents=True)
    (other.directory / "data/sources/song.bin").write_text("tokens")
    (other.directory / "data/tokenizer.json").write_text("{}")
    section = {"data": {"sources": ["song"]}, "blends": [["base", None, 10, 1]]}
    other.nodes["data"] = NodeRecord("finished", "data", section, {}, "then", __version__, ("data/sources",))
    other.save()
    mine, reuse = Manifest(tmp_path / "mine"), Reuse([other.directory])
    another = Node("data", "data", {**section, "data": {"sources": ["math"]}})
    assert reuse.furnish(another, mine) is None
    node = Node("data", "data", {**section, "blends": [["base", None, 99, 9]]})
    assert reuse.furnish(node, mine) == other.directory
    assert (mine.directory / "data/sources/song.bin").read_text() == "tokens"
    assert mine.nodes == {}
    assert reuse.furnish(node, mine) is None
