"""The stage graph, run for real on a very small miniature: skipping, changing, resuming, refusing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prism.pipeline.graph import build_graph
from prism.recipe import load_recipe

RECIPE = str(Path(__file__).with_name("small.yaml"))

pytestmark = pytest.mark.xdist_group("pipeline_run")  # one process makes what its tests share


def prism(directory: Path, *overrides: str) -> subprocess.Popen[str]:
    sets = [part for key in (f"run.directory={directory}", *overrides) for part in ("--set", key)]
    command = [sys.executable, "-m", "prism.cli", "run", RECIPE, *sets]
    environment = {**os.environ, "PRISM_BACKEND": "cpu"}
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code, output
    return output


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs")
    finish(prism(directory))
    return directory


def test_a_run_leaves_its_report_and_a_manifest_of_every_node(finished: Path) -> None:
    run = finished / "miniature"
    manifest = json.loads((run / "manifest.json").read_text())
    expected = {"data", "base", "mid", "evaluate:base", "evaluate:mid", "analyze:base:mid", "report"}
    assert set(manifest["nodes"]) == expected
    assert all(node["status"] == "finished" for node in manifest["nodes"].values())
    assert (run / "report.html").stat().st_size > 10_000


def test_a_second_run_skips_everything(finished: Path) -> None:
    assert "0 nodes ran, 7 were skipped" in finish(prism(finished))


def test_a_changed_key_is_named_and_only_what_depends_on_it_runs(finished: Path) -> None:
    output = finish(prism(finished, "midtrain.optimizer.learning_rate=0.001"))
    assert "learning_rate" in output and "0.001" in output
    assert "base" in output.split("skipped: unchanged:")[1].splitlines()[0]
    assert "base: starts" not in output


def test_a_relation_that_is_asked_for_later_is_all_that_runs(finished: Path) -> None:
    relation = "[[base, mid], [base, mid]]"
    output = finish(prism(finished, "midtrain.optimizer.learning_rate=0.001", f"analyze.relations=[{relation}]"))
    assert "2 nodes ran" in output and "analyze:base:mid:base:mid: starts" in output
    found = json.loads((finished / "miniature/analysis/relations/base__mid.base__mid.json").read_text())
    (one,) = found["relations"]
    assert one["first"] == one["second"] == ["base", "mid"]
    assert one["total"]["cosine"] == pytest.approx(1) and one["total"]["overlap"]["0"]["jaccard"] == 1
    assert found["footprint"]["l2_by_matrix"]["pearson"] == pytest.approx(1)


def test_a_run_that_is_killed_goes_on(tmp_path: Path) -> None:
    process = prism(tmp_path)
    log = tmp_path / "miniature" / "stages" / "mid" / "metrics.jsonl"
    deadline = time.monotonic() + 240
    while not log.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1)
    steps = log.read_bytes()
    time.sleep(1)
    assert log.read_bytes() == steps, "the stage trains on without its run"
    output = finish(prism(tmp_path))
    assert "mid: unfinished, goes on" in output
    assert "base: starts" not in output


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    first = prism(tmp_path)
    try:
        while not (tmp_path / "miniature" / "manifest.json").exists():
            assert first.poll() is None
            time.sleep(0.05)
        assert "error: " in finish(prism(tmp_path), code=2)
    finally:
        first.terminate()
        first.communicate(timeout=60)


def test_the_graph_of_the_miniature_has_a_node_for_every_stage_and_evaluation() -> None:
    graph = build_graph(load_recipe("miniature"))
    assert len(graph) == 30
    assert {"base", "mid", "rl"} <= set(graph["landscape"].needs)
    assert graph["rl"].needs == tuple(graph["rl"].needs) and {"mid", "hard"} <= set(graph["rl"].needs)


def test_a_landscape_is_a_node_that_is_skipped_and_goes_on(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "miniature", tmp_path / "miniature")
    asked = "{chain: [base, mid, mid], task: miniature_math, limit: 4, points: 2, samples: 1}"
    output = finish(prism(tmp_path, f"analyze.landscape={asked}"))
    assert "landscape: starts" in output and "base: starts" not in output
    found = json.loads((tmp_path / "miniature/analysis/landscape.json").read_text())
    assert found["complete"] and [point["prompts"] for point in found["points"]] == [4] * 4
    assert '<section id="landscape">' in (tmp_path / "miniature/report.html").read_text()
    assert "0 nodes ran, 8 were skipped" in finish(prism(tmp_path, f"analyze.landscape={asked}"))
    refused = finish(prism(tmp_path, f"analyze.landscape={asked.replace('[base, mid', '[base, middle')}"), code=2)
    assert "unknown stage middle" in refused and "did you mean mid?" in refused


def test_stages_of_a_run_are_compared_by_their_names(finished: Path, tmp_path: Path) -> None:
    names = [f"{finished / 'miniature'}:{stage}" for stage in ("base", "mid")]
    command = [sys.executable, "-m", "prism.cli", "analyze", "cka", *names, "--count", "8"]
    done = subprocess.run(
        [*command, "--json", str(tmp_path / "cka.json"), "--names", "base,mid"], text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    own = json.loads((finished / "miniature/analysis/cka/base__mid.json").read_text())
    (by_name,) = json.loads((tmp_path / "cka.json").read_text())["comparisons"]
    assert by_name == {key: own[key] for key in by_name}  # the recipe's node finds the same
