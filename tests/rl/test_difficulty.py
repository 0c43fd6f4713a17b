"""The difficulty stage's measuring: kills, processes, records; real processes with a made-up generator."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from data_prep.files import read_jsonl
from prism.errors import BadInput
from prism.launch.local import free_port
from prism.rl import difficulty_records
from prism.rl.difficulty_records import DifficultyRecords, Sample, difficulty_path, read_measured, samples_path
from prism.rl.prompts import RlPrompt
from tests.rl.difficulty_worker import PROMPTS, SAMPLES, made_up_prompts, make_contract

ROOT = Path(__file__).parents[2]
KILLS = 4


def start(root: Path, folder: Path, pause_s: float, processes: int = 1) -> list[subprocess.Popen[bytes]]:
    port = str(free_port())
    command = [sys.executable, "-m", "tests.rl.difficulty_worker", str(root), str(folder), str(pause_s)]
    ranks = []
    for rank in range(processes):
        world = {"WORLD_SIZE": str(processes), "RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **(world if processes > 1 else {})}
        ranks.append(subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True))
    return ranks


def finish(root: Path, folder: Path, processes: int = 1) -> dict[str, bytes]:
    """What the stage leaves, by file."""
    assert [rank.wait() for rank in start(root, folder, 0.0, processes)] == [0] * processes
    return left(folder)


def left(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.jsonl")}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("difficulty")
    make_contract(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(root: Path) -> dict[str, bytes]:
    return finish(root, root / "undisturbed")


def test_every_sample_is_kept_and_every_prompt_counted(root: Path, undisturbed: dict[str, bytes]) -> None:
    rows = [json.loads(line) for line in undisturbed["difficulty.jsonl"].splitlines()]
    samples = [json.loads(line) for line in undisturbed["samples/00000.jsonl"].splitlines()]
    assert [row["id"] for row in rows] == [row["id"] for row in samples] == [f"p{n}" for n in range(PROMPTS)]
    for number, (row, group) in enumerate(zip(rows, samples, strict=True)):
        assert row["samples"] == len(group["samples"]) == (0 if number == 7 else SAMPLES)  # 7 leaves no room
        assert row["correct"] == sum(sample["solved"] for sample in group["samples"])
        for sample in group["samples"]:
            right = sample["text"].endswith(f"</think> {number % 10}")
            assert sample["solved"] == (right and sample["stopped"])
            assert sample["tokens"] == len(sample["text"].split()) + sample["stopped"]
    assert {row["correct"] for row in rows} >= {0, 1}
    measured = read_measured(root / "undisturbed", made_up_prompts())
    assert [one.correct for one in measured] == [row["correct"] for row in rows]


def test_kills_at_any_moment_change_no_row_and_judge_no_sample_twice(
    root: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    stream, killed = random.Random(5), 0
    for _ in range(KILLS):
        (process,) = start(root, tmp_path / "stage", 0.03)
        before = left(tmp_path / "stage").get("difficulty.jsonl", b"")
        while left(tmp_path / "stage").get("difficulty.jsonl", b"") == before and process.poll() is None:
            time.sleep(0.01)  # it works
        time.sleep(stream.uniform(0.0, 0.15))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
        kept = left(tmp_path / "stage")["difficulty.jsonl"]
        assert undisturbed["difficulty.jsonl"].startswith(kept)
    assert killed >= KILLS / 2
    assert finish(root, tmp_path / "stage") == undisturbed


def test_two_processes_measure_what_one_does(root: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    assert finish(root, tmp_path / "stage", processes=2) == undisturbed


@pytest.mark.parametrize("torn", ["difficulty.jsonl", "samples/00000.jsonl"])
@pytest.mark.parametrize("how", ["cut", "garbage"])
def test_a_torn_last_line_is_cut_off(undisturbed: dict[str, bytes], tmp_path: Path, torn: str, how: str) -> None:
    folder = tmp_path / "stage"
    (folder / "samples").mkdir(parents=True)
    lines = undisturbed["samples/00000.jsonl"].splitlines(keepends=True)
    noted = undisturbed["difficulty.jsonl"].splitlines(keepends=True)
    tail = b'{"id": "p' if how == "cut" else b"\0\0\0\n"
    (folder / "samples/00000.jsonl").write_bytes(b"".join(lines[:20]) + (tail if "samples" in torn else b""))
    (folder / "difficulty.jsonl").write_bytes(b"".join(noted[:18]) + (tail if "difficulty" in torn else b""))
    assert DifficultyRecords(folder, made_up_prompts()).done == 20
    kept = {"samples/00000.jsonl": b"".join(lines[:20]), "difficulty.jsonl": b"".join(noted[:20])}
    assert left(folder) == kept


def prompts(count: int) -> list[RlPrompt]:
    return [RlPrompt("math", f"question {n}", {"id": n, "prompt": f"question {n}"}) for n in range(count)]


def group(*solved: bool) -> list[Sample]:
    return [Sample("text", 3, True, right, float(right)) for right in solved]


def test_samples_without_their_prompts_line_are_taken_as_they_were_judged(tmp_path: Path) -> None:
    records = DifficultyRecords(tmp_path, prompts(4))
    records.append([group(True, False)])
    recorded = {"id": "1", "samples": [asdict(sample) for sample in group(True, True)]}
    with samples_path(tmp_path, 1).open("a") as handle:
        handle.write(json.dumps(recorded) + "\n")
    assert DifficultyRecords(tmp_path, prompts(4)).done == 2
    assert [row["correct"] for row in read_jsonl(difficulty_path(tmp_path))] == [1, 2]


def test_samples_go_on_in_another_file_and_records_go_on_across_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(difficulty_records, "PROMPTS_A_FILE", 3)
    records = DifficultyRecords(tmp_path, prompts(8))
    records.append([group(True)] * 2)
    records.append([group(False)] * 3)
    difficulty_path(tmp_path).write_bytes(b"".join(difficulty_path(tmp_path).read_bytes().splitlines(True)[:2]))
    again = DifficultyRecords(tmp_path, prompts(8))
    assert again.done == 5
    again.append([group(True)] * 3)
    assert [len(list(read_jsonl(samples_path(tmp_path, place)))) for place in (0, 3, 6)] == [3, 3, 2]
    assert [one.correct for one in read_measured(tmp_path, prompts(8))] == [1, 1, 0, 0, 0, 1, 1, 1]


def test_records_of_other_prompts_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    DifficultyRecords(tmp_path, prompts(4)).append([group(True)] * 3)
    with pytest.raises(BadInput, match="other prompts"):
        DifficultyRecords(tmp_path, prompts(4)[::-1])
    with pytest.raises(BadInput, match="other prompts"):
        read_measured(tmp_path, prompts(4))
    lines = difficulty_path(tmp_path).read_bytes().splitlines(True)
    difficulty_path(tmp_path).write_bytes(lines[0] + b"{\n" + lines[2])
    with pytest.raises(BadInput, match=r"difficulty\.jsonl:2"):
        DifficultyRecords(tmp_path, prompts(4))
    difficulty_path(tmp_path).write_bytes(b"".join(lines))
    samples_path(tmp_path, 0).write_bytes(samples_path(tmp_path, 0).read_bytes().splitlines(True)[0])
    with pytest.raises(BadInput, match="samples are missing"):
        DifficultyRecords(tmp_path, prompts(4))
