"""Where a task's rows come from: this disk, or a hub on 127.0.0.1; and what is said when they can't be had."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prism.errors import BadInput
from prism.evaluate.data import read_task
from prism.evaluate.runner import evaluate_tasks
from prism.evaluate.subject import Subject, server_subject
from prism.evaluate.task import GenerateTask, load_task, load_tasks
from tests.data_prep.fetch.conftest import hub as hub
from tests.data_prep.fetch.mini_hub import MiniHub
from tests.evaluate.scripted import MODEL, Script, read
from tests.models.tiny_io import ROOT

ROWS = "".join(
    json.dumps({"problem": f"What is {n} + 0?", "answer": str(n), "level": 1 + n % 2, "subject": "Algebra"}) + "\n"
    for n in range(6)
)


@pytest.fixture
def subject(script: Script, tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
    monkeypatch.setenv("PRISM_DATA", str(tmp_path / "data"))
    return server_subject(script.url, MODEL, tokenizer)


def math500(**changed: Any) -> GenerateTask:
    task = load_task("math500")
    assert isinstance(task, GenerateTask)
    return task.model_copy(update={"samples": 2, **changed})


def test_data_of_the_hub_is_fetched_once_and_then_read_from_the_disk(
    subject: Subject, hub: MiniHub, tmp_path: Path
) -> None:
    hub.add("HuggingFaceH4/MATH-500", {"test.jsonl": ROWS.encode(), "README.md": b"about", "other.jsonl": b"{}\n"})
    assert [row["answer"] for row in read_task(math500(), subject).rows] == [str(n) for n in range(6)]
    assert (tmp_path / "data" / "math500" / "test.jsonl").read_text() == ROWS
    assert not (tmp_path / "data" / "math500" / "other.jsonl").exists()
    asked = len(hub.requests)
    assert len(read_task(math500(), subject).rows) == 6 and len(hub.requests) == asked


def test_a_set_of_which_a_part_came_is_not_taken_for_the_whole(subject: Subject, hub: MiniHub, tmp_path: Path) -> None:
    first, second = ROWS.splitlines()[:3], ROWS.splitlines()[3:]
    hub.add("HuggingFaceH4/MATH-500", {"a.jsonl": "\n".join(first).encode(), "b.jsonl": "\n".join(second).encode()})
    task = math500()
    assert task.hub is not None
    task = task.model_copy(update={"hub": task.hub.model_copy(update={"files": ("*.jsonl",)})})
    hub.served_instead["b.jsonl"] = b"x" * len("\n".join(second))
    with pytest.raises(BadInput, match=r"b.jsonl came with SHA-256"):
        read_task(task, subject)
    (tmp_path / "data" / "math500" / "a.jsonl").write_text("\n".join(first))  # it may have come before the other failed
    hub.served_instead.clear()
    assert [row["answer"] for row in read_task(task, subject).rows] == [str(n) for n in range(6)]


def test_data_that_is_there_needs_no_hub(subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mirror.jsonl").write_text(ROWS)
    own = replace(subject, data={"math500": str(tmp_path / "elsewhere")})
    assert len(read_task(math500(), own).rows) == 6


def test_without_a_network_the_error_is_a_command_that_brings_the_data(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BadInput, match="the data of task math500 isn't there and can't be fetched") as caught:
        read_task(math500(), subject)
    assert caught.value.exit_code == 4 and caught.value.place == str(tmp_path / "data" / "math500")
    command = caught.value.remedy.partition(", where there is a network")[0]  # type: ignore[union-attr]
    assert shlex.split(command) == [
        "hf", "download", "HuggingFaceH4/MATH-500", "--repo-type", "dataset", "--revision", "main", "--include",
        "test.jsonl", "--local-dir", str(tmp_path / "data" / "math500"),
    ]  # fmt: skip
    assert "evaluate.data.math500" in caught.value.remedy  # type: ignore[operator]


def test_a_gated_set_says_where_its_terms_are(subject: Subject, hub: MiniHub) -> None:
    hub.add("Idavidrein/gpqa", {"gpqa_diamond.csv": b"Question\na gated thing\n"}, token="hf_somebody")
    with pytest.raises(BadInput, match="gated") as caught:
        read_task(load_task("gpqa_diamond"), subject)
    assert "accept the terms at https://huggingface.co/datasets/Idavidrein/gpqa and set HF_TOKEN" in str(caught.value)
    assert "gated thing" not in str(caught.value)


def test_a_suite_goes_on_without_the_data_of_one_task_and_tells_it_at_the_end(
    subject: Subject, script: Script, hub: MiniHub, tmp_path: Path
) -> None:
    hub.add("HuggingFaceH4/MATH-500", {"test.jsonl": ROWS.encode()})
    script.give([["\\boxed{0}", f"\\boxed{{{n}}}"] for n in range(6)])
    tasks = [load_task("gpqa_diamond"), math500()]
    with pytest.raises(BadInput, match="gpqa_diamond"):
        evaluate_tasks(subject, tasks, tmp_path)
    found = read(tmp_path, "math500")
    assert found.result["metrics"]["pass_rate"]["value"] == pytest.approx((1 + 6) / 12)
    assert not (tmp_path / "gpqa_diamond.json").exists()


def test_a_result_says_how_it_came_about(subject: Subject, script: Script, tmp_path: Path) -> None:
    (tmp_path / "data" / "math500").mkdir(parents=True)
    (tmp_path / "data" / "math500" / "test.jsonl").write_text(ROWS)
    script.give([["\\boxed{0}", f"\\boxed{{{n}}}"] for n in range(6)])
    evaluate_tasks(subject, [math500()], tmp_path)
    result, samples = read(tmp_path, "math500").result, read(tmp_path, "math500").samples
    assert result["version"] == 1 and result["prompts"] == 6 and result["left_out"] == {}
    assert result["checkpoint_hash"] == subject.identity and len(result["data_hash"]) == 64
    assert result["settings"]["temperature"] == 0.6 and result["settings"]["rows"]["kind"] == "math"
    assert result["settings"]["hub"]["id"] == "HuggingFaceH4/MATH-500"
    levels = result["groups"]["level"]
    assert {level: (one["prompts"], one["metrics"]["pass_rate"]["value"]) for level, one in levels.items()} == {
        "1": (3, pytest.approx(4 / 6)),
        "2": (3, 0.5),
    }
    assert [line["pass_rate"] for line in samples] == [1.0, *[0.5] * 5]
    assert samples[3]["prompt"].startswith("What is 3 + 0?\n") and samples[3]["group"]["level"] == "2"
    assert [one["text"] for one in samples[3]["responses"]] == ["\\boxed{0}", "\\boxed{3}"]
    asked = {tuple(body["prompt"]) for body in script.asked}
    assert asked == {tuple(subject.contract.encode_prompt(line["prompt"])) for line in samples}
    assert {(body["temperature"], body["top_p"], body["max_tokens"]) for body in script.asked} == {(0.6, 0.95, 32768)}


def test_a_result_is_made_anew_when_its_data_changes(subject: Subject, script: Script, tmp_path: Path) -> None:
    file = tmp_path / "data" / "math500" / "test.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(ROWS)
    script.give([["\\boxed{0}", "\\boxed{1}"]] * 6)
    evaluate_tasks(subject, [math500()], tmp_path)
    before = read(tmp_path, "math500").result
    evaluate_tasks(subject, [math500()], tmp_path)
    assert len(script.asked) == 12
    file.write_text(ROWS.replace('"answer": "5"', '"answer": "1"'))
    evaluate_tasks(subject, [math500()], tmp_path)
    after = read(tmp_path, "math500").result
    assert after["data_hash"] != before["data_hash"] and after["key"] != before["key"]
    assert after["metrics"]["pass_rate"]["value"] == pytest.approx(before["metrics"]["pass_rate"]["value"] + 1 / 12)


def test_the_papers_suite_has_the_papers_benchmarks_and_sampling() -> None:
    from prism.paper import benchmarks

    tasks = load_tasks(["paper"])
    known = benchmarks().benchmarks
    names = ("lcb", "cf", "aime24", "aime25", "math500", "gpqa_d")
    assert [task.name for task in tasks] == [known[name].tasks[0] for name in names]
    for name, task in zip(names, tasks, strict=True):
        assert isinstance(task, GenerateTask) and task.hub is not None and task.limit is None
        for setting, value in known[name].settings.items():
            ours = getattr(task, setting)
            assert ours >= value if setting == "max_new_tokens" else ours == value


def test_an_evaluation_that_is_killed_goes_on_where_it_was(script: Script, tokenizer: Path, tmp_path: Path) -> None:
    """Two batches of eight prompts; the process is killed in the second."""
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({"problem": f"What is {n} + 0?", "answer": str(n)}) + "\n" for n in range(16))
    )
    task = math500(samples=64, path=str(tmp_path / "rows.jsonl"), hub=None)
    (tmp_path / "task.yaml").write_text(json.dumps(task.model_dump(mode="json")))
    script.give([[f"\\boxed{{{(prompt * sample) % 16}}}" for sample in range(64)] for prompt in range(16)])
    script.hold_after(700)
    arguments = ["eval", tokenizer, "--server", script.url, "--model", MODEL, "--tasks", tmp_path / "task.yaml"]
    command = [sys.executable, "-m", "prism.cli", *map(str, arguments), "--out"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*command, str(tmp_path / "killed")], cwd=tmp_path, env=environment) as process:
        assert script.held.wait(120)
        process.kill()
    lines = (tmp_path / "killed" / "math500.samples.jsonl").read_bytes().splitlines()
    assert len(lines) == 8 and not (tmp_path / "killed" / "math500.json").exists()
    script.go_on()
    before = len(script.asked)
    subprocess.run([*command, str(tmp_path / "killed")], cwd=tmp_path, env=environment, check=True, timeout=120)
    assert len(script.asked) - before == 8 * 64
    evaluate_tasks(server_subject(script.url, MODEL, tokenizer), [task], tmp_path / "whole")
    killed, whole = read(tmp_path / "killed", "math500"), read(tmp_path / "whole", "math500")
    assert killed.samples == whole.samples and killed.result["metrics"] == whole.result["metrics"]
