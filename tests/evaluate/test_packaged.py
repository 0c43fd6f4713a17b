"""The packaged tasks on the real sets that are here: what they ask, whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prism.evaluate.data import read_task
from prism.evaluate.subject import server_subject
from prism.evaluate.task import GenerateTask, load_task, task_names
from tests.evaluate.scripted import MODEL, tokenizer_folder

DATA = Path(os.environ.get("PRISM_DATA", Path(__file__).parents[3] / "shared" / "data"))
WHOLE = {"math500": 500, "math500_confidence": 200, "aime24": 30, "humaneval": 164, "gsm8k": 1_319, "mmlu_stem": 3_018}


@pytest.mark.parametrize("name", WHOLE)
def test_a_task_asks_its_set(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (DATA / "math500").is_dir():
        pytest.skip(f"no data in {DATA}; PRISM_DATA names its folder")
    monkeypatch.setenv("PRISM_DATA", str(DATA))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    subject = server_subject("http://127.0.0.1:1", MODEL, tokenizer_folder(tmp_path))
    found = read_task(load_task(name), subject)
    assert len(found.rows) == WHOLE[name] and found.left_out == {}


def test_every_set_of_the_hub_states_its_licence_in_the_task_too() -> None:
    tasks = [task for name in task_names() if isinstance(task := load_task(name), GenerateTask) and task.hub]
    assert len(tasks) == 9
    for task in tasks:
        assert task.hub is not None and task.hub.id in task.description
        stated = "names no licence" if task.hub.licence == "not stated" else task.hub.licence
        assert stated in task.description and task.hub.gated == ("gated" in task.description)
