"""Prompt sets from files in the sets' public layout: what is kept, what is dropped and why, kills, draws."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from data_prep import api
from data_prep.errors import DataError
from data_prep.files import read_jsonl
from data_prep.prompts import PromptSetCard, read_prompt_card
from data_prep.schema import DecontaminationConfig, PromptSet
from tests.data_prep.prompts.published import (
    evaluation,
    prompt_set,
    sum_question,
    write_code,
    write_math,
    write_science,
)
from tests.data_prep.sources.layout import write_rows

PUBLISHED = Path(__file__).with_name("published.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
MATH = ("deepscaler", "intellect_2", "skywork_or1_math")
KILLS = 6


def prepare(
    domain: str, config: PromptSet, directory: Path, evaluated: DecontaminationConfig | None = None
) -> tuple[PromptSetCard, list[dict[str, Any]], list[str]]:
    said: list[str] = []
    sets = {domain: config}
    card = api.prepare_prompts(sets, evaluated or DecontaminationConfig(), directory, log=said.append)[domain]
    return card, list(read_jsonl(api.prompts_path(directory, domain))), said


def test_the_math_set_says_what_became_of_every_row(tmp_path: Path) -> None:
    write_math(tmp_path)
    card, rows, _ = prepare("math", prompt_set(tmp_path, *MATH), tmp_path / "data", evaluation(tmp_path))
    assert len(rows) == card.prompts == 40 + 10 + 2
    assert len({row["id"] for row in rows}) == len(rows)
    assert rows[5] == {
        "id": rows[5]["id"], "prompt": sum_question(5), "answer": "10", "domain": "math", "source": "deepscaler",
        "verifier": {"kind": "math"},
    }  # fmt: skip
    assert [row["answer"] for row in rows[-2:]] == ["400", "402"]
    first, second, third = card.sources
    assert first.dropped == {"the answer is a proof": 1}
    assert first.decontamination["by_set"] == {"bakery": {"exact": 1}}
    assert second.dropped == {"task_type is not verifiable_math": 1}
    assert (second.repeated, second.repeated_with_other_answer) == (2, 1)
    assert third.dropped == {"no answer": 1}
    for count in card.sources:
        gone = sum(count.dropped.values()) + count.decontamination["dropped"] + count.repeated + count.not_drawn
        assert count.rows == gone + count.prompts


def test_science_prompts_have_their_options_and_the_right_one(tmp_path: Path) -> None:
    write_science(tmp_path)
    card, rows, _ = prepare("science", prompt_set(tmp_path, "nemotron_stem"), tmp_path / "data")
    assert [row["answer"] for row in rows] == ["iron", "gold"]
    assert rows[0]["verifier"] == {
        "kind": "choice", "choices": ["iron", "gold", "lead"], "question": "Which metal rusts?",
    }  # fmt: skip
    assert card.sources[0].dropped == {
        "messages.0.content is one of empty, -": 1,
        "no lettered options in the question": 1,
        "the worked answer names no option": 1,
    }


def test_code_prompts_have_a_verifier_for_each_form_of_tests(tmp_path: Path) -> None:
    write_code(tmp_path)
    names = ("deepcoder", "skywork_or1_code", "open_code_instruct")
    card, rows, _ = prepare("code", prompt_set(tmp_path, *names), tmp_path / "data")
    verifiers = {row["prompt"].partition("\n")[0]: row["verifier"] for row in rows}
    assert {asked: (kept["test"], kept.get("entry_point")) for asked, kept in verifiers.items()} == {
        "Square it.": ("call", "square"),
        "Double it.": ("stdin", None),
        "Add them.": ("call", "add"),
        "Halve it.": ("check", "f"),
        "Write f.": ("asserts", None),
    }
    assert verifiers["Double it."]["cases"] == [["1\n", "2\n"], ["2\n", "4\n"]]
    assert verifiers["Square it."]["cases"] == [[[3], 9]]
    assert "class Solution:" in next(row["prompt"] for row in rows if row["prompt"].startswith("Square"))
    assert [count.dropped for count in card.sources] == [
        {},
        {"tests of an unknown form (question_id)": 1},
        {"average_test_score < 1": 1, "no tests": 1},
    ]


def test_a_draw_has_its_number_and_depends_on_the_seed_but_not_on_the_order(tmp_path: Path) -> None:
    rows = [{"problem": sum_question(number), "solution": "", "answer": str(2 * number)} for number in range(300)]
    for folder, ordered in (("one", rows), ("other", rows[::-1])):
        write_rows(tmp_path / folder / "deepscaler/deepscaler.json", ordered)

    def drawn(folder: str, seed: int) -> set[str]:
        config = prompt_set(tmp_path / folder, "deepscaler", draw={"deepscaler": 50}, seed=seed)
        card, kept, _ = prepare("math", config, tmp_path / f"{folder}-{seed}")
        assert (card.prompts, card.sources[0].not_drawn) == (50, 250)
        return {row["id"] for row in kept}

    assert drawn("one", 1) == drawn("other", 1)
    assert drawn("one", 1) != drawn("one", 2)


def test_a_set_is_left_alone_until_its_files_or_settings_change(tmp_path: Path) -> None:
    write_math(tmp_path)
    config = prompt_set(tmp_path, *MATH)
    _, _, said = prepare("math", config, tmp_path / "data")
    assert not any("unchanged" in line for line in said)
    assert prepare("math", config, tmp_path / "data")[2] == ["math: unchanged, 53 prompts"]
    changed = prompt_set(tmp_path, *MATH, draw={"deepscaler": 10})
    assert prepare("math", changed, tmp_path / "data")[0].prompts == 10 + 10 + 2
    path = api.prompts_path(tmp_path / "data", "math")
    path.write_bytes(path.read_bytes()[:-10])
    card, rows, _ = prepare("math", changed, tmp_path / "data")
    assert len(rows) == card.prompts == 22


def test_a_source_that_gives_no_prompt_stops_the_preparation_and_says_why(tmp_path: Path) -> None:
    write_rows(tmp_path / "deepscaler/deepscaler.json", [{"problem": "Why?", "solution": "", "answer": ""}])
    with pytest.raises(DataError, match=r"deepscaler gives no prompt \(1 no answer\)"):
        prepare("math", prompt_set(tmp_path, "deepscaler"), tmp_path / "data")
    with pytest.raises(DataError):
        read_prompt_card(api.prompts_path(tmp_path / "data", "math"))


def test_a_set_without_verifiable_answers_is_refused() -> None:
    with pytest.raises(ValueError, match="how its answers are verified"):
        prompt_set(Path("anywhere"), "dclm_edu")
    with pytest.raises(ValueError, match="no source here"):
        prompt_set(Path("anywhere"), "deepscaler", draw={"deepscale": 10})


def test_kills_at_random_moments_and_workers_change_no_byte(tmp_path: Path) -> None:
    rows = [
        {"problem": sum_question(number) + " " + "x" * 300, "solution": "", "answer": str(number)}
        for number in range(6_000)
    ]
    for part in range(3):
        write_rows(tmp_path / f"deepscaler/{part}.jsonl", rows[part * 1_900 :])
    config = prompt_set(tmp_path, "deepscaler", draw={"deepscaler": 2_000})
    settings = tmp_path / "sets.json"
    settings.write_text(json.dumps({"math": config.model_dump(mode="json")}))

    def start(directory: Path, workers: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(PUBLISHED), str(settings), str(directory), str(workers)]
        return subprocess.Popen(command, env=ENVIRONMENT, start_new_session=True)

    began = time.monotonic()
    assert start(tmp_path / "whole", 1).wait() == 0
    seconds = time.monotonic() - began
    expected = left(tmp_path / "whole")
    assert expected
    stream, killed = random.Random(3), 0
    for _ in range(KILLS):
        process = start(tmp_path / "killed", 2)
        try:
            assert process.wait(timeout=stream.uniform(0.3, 1.0) * seconds) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
    assert killed, f"none of {KILLS} kills came before the end"
    assert start(tmp_path / "killed", 2).wait() == 0
    assert left(tmp_path / "killed") == expected


def left(directory: Path) -> dict[str, bytes]:
    """What a preparation leaves, hidden files aside."""
    return {path.name: path.read_bytes() for path in sorted((directory / "prompts").glob("[!.]*"))}
