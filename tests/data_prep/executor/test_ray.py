"""`prism data prepare --executor ray` on a real Ray of this machine."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from pathlib import Path

import pytest

from tests.data_prep.executor.workplace import Workplace, make_workplace, spoil

pytestmark = [
    pytest.mark.skipif("PRISM_TEST_RAY" not in os.environ, reason="starts daemons: part of `make test-ray`"),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray isn't installed"),
    pytest.mark.xdist_group("ray"),
]

RAY = ("--executor", "ray", "--option", "mem_per_cpu_gb=0.5")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return make_workplace(tmp_path, 2)


def test_the_files_are_those_of_a_local_preparation(place: Workplace) -> None:
    code, said = place.prepare("local", "--workers", "1")
    assert code == 0, said
    code, said = place.prepare("ray", *RAY)
    assert code == 0, said
    assert place.made("ray") == place.made("local")


def test_a_row_that_cannot_be_read_is_named_with_its_task_log(place: Workplace) -> None:
    spoil(place)
    code, said = place.prepare("bad", *RAY)
    assert code == 4, said
    error = said.splitlines()[-1]
    assert "raw/web.jsonl:" in error
    assert "/logs/task_00004.log: 1 of 5 tasks failed" in error


def test_an_interrupted_command_ends_and_the_next_goes_on(place: Workplace) -> None:
    one_stage = (*RAY, "--set", "data.sources.web.dedup=none", "--set", "data.sources.web.sample=null")
    command = place.start("interrupted", *one_stage)
    logs = place.data("interrupted") / "sources/.work/web/tokenise"
    end = time.monotonic() + 120
    while not logs.exists():  # more tasks than cores: some have no place yet
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(1)
    command.send_signal(signal.SIGINT)
    command.communicate(timeout=30)
    assert command.returncode != 0
    code, said = place.prepare("interrupted", *one_stage)
    assert code == 0, said
    assert place.prepare("whole", "--workers", "1", *one_stage[len(RAY) :])[0] == 0
    assert place.made("interrupted") == place.made("whole")


@pytest.mark.parametrize(
    ("option", "words"), [("address=127.0.0.1:1", "Ray doesn't answer"), ("partition=cpu", "no option 'partition'")]
)
def test_an_option_that_cannot_work_is_refused(place: Workplace, option: str, words: str) -> None:
    code, said = place.prepare("refused", *RAY, "--option", option)
    assert code == 2, said
    assert words in said
