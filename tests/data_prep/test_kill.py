"""A preparation that is killed, again and again, ends in the files of one that wasn't."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.data_prep.preparation import made_up, results

KILLS = 20
WORKER = Path(__file__).with_name("preparation.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}


def start(config: Path, directory: Path, workers: int) -> subprocess.Popen[bytes]:
    """A preparation in a session of its own, so that its workers die with it."""
    command = [sys.executable, str(WORKER), str(config), str(directory), str(workers)]
    return subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, start_new_session=True)


def finish(config: Path, directory: Path, workers: int) -> float:
    began = time.monotonic()
    process = start(config, directory, workers)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()[-2_000:]
    return time.monotonic() - began


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], float]:
    """(config, hashes, seconds) of a preparation that nobody disturbs, with one worker."""
    root = tmp_path_factory.mktemp("undisturbed")
    settings = made_up(root / "raw", megabytes=10)
    config = root / "config.json"
    config.write_text(json.dumps(settings))
    seconds = finish(config, root / "data", 1)
    return config, results(root / "data"), seconds


@pytest.mark.parametrize("workers", [2, 3])
def test_the_files_do_not_depend_on_the_number_of_workers(
    undisturbed: tuple[Path, dict[str, str], float], tmp_path: Path, workers: int
) -> None:
    config, expected, _ = undisturbed
    finish(config, tmp_path / "data", workers)
    assert results(tmp_path / "data") == expected


def test_twenty_kills_at_random_moments_change_no_byte(
    undisturbed: tuple[Path, dict[str, str], float], tmp_path: Path
) -> None:
    config, expected, seconds = undisturbed
    stream, directory, killed, finished = random.Random(7), tmp_path / "data", 0, 0
    while killed < KILLS:
        process, began = start(config, directory, 2), time.monotonic()
        try:
            process.wait(timeout=stream.uniform(0.2, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
        else:
            # it came to its end: begin anew, so that later kills have something to disturb
            assert process.returncode == 0
            assert results(directory) == expected
            finished += 1
            seconds = min(seconds, time.monotonic() - began)
            directory = tmp_path / f"data-{finished}"
        assert process.stderr is not None
        process.stderr.close()
    finish(config, directory, 2)
    assert results(directory) == expected
