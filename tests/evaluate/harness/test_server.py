"""Harness tasks against a real server process: what they find is what the harness's own model does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prism.errors import UsageError
from prism.evaluate.runner import evaluate_tasks
from prism.evaluate.subject import server_subject
from prism.evaluate.task import load_task
from tests.evaluate.harness.test_parity import WITHIN, read, values
from tests.models.tiny_io import ROOT

pytestmark = pytest.mark.xdist_group("harness")

TASKS = ["gsm8k", "lambada", "winogrande"]
CONTEXT = 130  # two more than the model's own: a whole pair is sent, and a token must fit


@pytest.fixture(scope="module")
def server(tiny: Path) -> Iterator[str]:
    arguments = ["-m", "tests.evaluate.harness.completions_server", str(tiny / "hf"), str(CONTEXT)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


def task_file(folder: Path, tiny: Path, name: str, limit: int = 12) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(
        f"{{name: {name}, version: 1, kind: harness, domain: general, description: d, task: local_{name}, "
        f"folder: {tiny / 'tasks'}, limit: {limit}}}\n"
    )
    return str(path)


def test_a_server_gives_what_the_harness_own_model_gives(tiny: Path, server: str, tmp_path: Path) -> None:
    tasks = ",".join(task_file(tmp_path, tiny, name) for name in TASKS)
    arguments = [
        "eval",
        tiny / "hf",
        "--server",
        server,
        "--model",
        "tiny",
        "--tasks",
        tasks,
        "--out",
        tmp_path / "out",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "prism.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    theirs = read(tiny, "hf")
    for name in TASKS:
        result = json.loads((tmp_path / "out" / f"{name}.json").read_text())
        found = {metric: row["value"] for metric, row in result["metrics"].items()}
        expected = {key.removesuffix(",none"): value for key, value in values(theirs, f"local_{name}").items()}
        assert found == pytest.approx(expected, rel=WITHIN), name
        assert f"{name} " in done.stdout
        lines = (tmp_path / "out" / f"{name}.samples.jsonl").read_text().splitlines()
        for line, sample in zip(lines, theirs["samples"][f"local_{name}"], strict=True):
            ours = json.loads(line)["responses"]
            for mine, other in zip(ours, sample["resps"], strict=True):
                if name == "gsm8k":
                    assert mine == other
                else:
                    assert mine[0][0] == pytest.approx(other[0][0], abs=WITHIN) and mine[0][1] == other[0][1]


def test_likelihoods_of_a_server_that_does_not_echo_are_refused(tiny: Path, server: str, tmp_path: Path) -> None:
    subject = server_subject(server, "mute", tiny / "hf")
    with pytest.raises(UsageError, match=r"doesn't echo prompts with log-probabilities.*Remedy: "):
        evaluate_tasks(subject, [load_task(task_file(tmp_path, tiny, "lambada", limit=2))], tmp_path / "out")


def test_our_own_tasks_run_against_a_server_too(tiny: Path, server: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    rows = [{"context": "Question: is it", "choices": ["so", "not so", "a dog"], "answer": 0}] * 2
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path.write_text(
        f"{{name: own, version: 1, kind: choice, domain: general, description: d, path: {tmp_path / 'rows.jsonl'}}}\n"
    )
    evaluate_tasks(server_subject(server, "tiny", tiny / "hf"), [load_task(str(path))], tmp_path)
    assert json.loads((tmp_path / "own.json").read_text())["metrics"]["accuracy"]["value"] in (0.0, 1.0)


def test_a_model_that_the_server_does_not_have_is_told_with_those_it_has(tiny: Path, server: str) -> None:
    with pytest.raises(UsageError, match=r"doesn't have huge.*Remedy: use one of tiny, mute"):
        server_subject(server, "huge", tiny / "hf").load()
