"""`prism data prepare --executor slurm` on a real Slurm: the bytes of a local one, whatever befalls the jobs."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.data_prep.executor.workplace import Workplace, make_workplace, spoil
from tests.slurm.small_slurm import missing, small_slurm

pytestmark = [
    pytest.mark.skipif("PRISM_TEST_SLURM" not in os.environ, reason="starts daemons: part of `make test-slurm`"),
    pytest.mark.skipif(bool(missing()), reason=f"Slurm isn't installed: no {', '.join(missing())}"),
    pytest.mark.xdist_group("slurm"),
]

SLURM = ("--executor", "slurm", "--option", "partition=cpu", "--option", "time=00:10:00")
WITHIN_S = 60


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    with small_slurm() as environment:
        yield environment


@pytest.fixture(scope="module")
def place(slurm: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    return make_workplace(tmp_path_factory.mktemp("place"), 2, slurm)


@pytest.fixture(scope="module")
def local(place: Workplace) -> dict[str, str]:
    """What a preparation on this machine makes."""
    code, said = place.prepare("local", "--workers", "1")
    assert code == 0, said
    return place.made("local")


def ask(place: Workplace, *command: str) -> str:
    return subprocess.run(command, env=place.environment, capture_output=True, text=True, check=True).stdout


def jobs(place: Workplace) -> list[str]:
    return ask(place, "squeue", "--noheader", "--format=%i %t").splitlines()


def until(reached: Callable[[], object]) -> None:
    end = time.monotonic() + WITHIN_S
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_files_are_those_of_a_local_preparation(place: Workplace, local: dict[str, str]) -> None:
    # five units and four tasks to an array: some stages take two arrays
    code, said = place.prepare("arrays", *SLURM)
    assert code == 0, said
    assert place.made("arrays") == local


def test_a_row_that_cannot_be_read_is_named_with_its_task_log(slurm: dict[str, str], tmp_path: Path) -> None:
    place = make_workplace(tmp_path, 2, slurm)
    spoil(place)
    code, said = place.prepare("bad", *SLURM)
    assert code == 4, said
    error = said.splitlines()[-1]
    assert "raw/web.jsonl:" in error
    assert "not valid JSON" in error
    assert "/logs/task_00004.log: 1 of 5 tasks failed" in error
    assert error.count("Remedy") == 1
    assert jobs(place) == []


def test_a_job_that_cannot_begin_is_named_with_slurms_log(place: Workplace) -> None:
    code, said = place.prepare("nothing", *SLURM, "--option", "env_command=export PATH=/usr/bin:/bin")
    assert code == 4, said
    assert "launch_pickled_pipeline: No such file or directory" in said.splitlines()[-1]
    assert "_0.out" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("partition=none", "sbatch refused the job"),
        ("cpus_per_task=many", "cpus_per_task is a whole number, not 'many'"),
        ("array=1-3", "no option 'array'"),
    ],
)
def test_an_option_that_cannot_work_is_refused(place: Workplace, option: str, words: str) -> None:
    code, said = place.prepare("refused", *SLURM, "--option", option)
    assert code == 2, said
    assert words in said


def test_jobs_cancelled_by_someone_end_the_command_and_the_next_goes_on(
    place: Workplace, local: dict[str, str]
) -> None:
    command = place.start("cancelled", *SLURM, "--source", "small", "--option", "begin=now+1hour")
    until(lambda: jobs(place))
    ask(place, "scancel", "--name", ask(place, "squeue", "--noheader", "--format=%j").split()[0])
    said = "".join(command.communicate())
    assert command.returncode == 4, said
    assert "1 of 1 tasks failed and left no reason" in said
    code, said = place.prepare("cancelled", *SLURM, "--source", "small")
    assert code == 0, said
    assert of_small(place.made("cancelled")) == of_small(local)


def test_an_interrupted_command_takes_its_jobs_along(place: Workplace) -> None:
    command = place.start("interrupted", *SLURM, "--option", "begin=now+1hour")
    until(lambda: jobs(place))
    command.send_signal(signal.SIGINT)
    command.communicate()
    assert command.returncode == 130
    until(lambda: not jobs(place))


def test_a_killed_commands_jobs_are_found_by_the_next(place: Workplace, local: dict[str, str]) -> None:
    arguments = (*SLURM, "--source", "small")
    command = place.start("killed", *arguments, "--option", "begin=now+1hour")
    until(lambda: jobs(place))
    command.kill()
    command.communicate()
    (waiting,) = jobs(place)
    again = place.start("killed", *arguments)
    with pytest.raises(subprocess.TimeoutExpired):
        again.wait(timeout=4)
    assert jobs(place) == [waiting]  # it waits for that job and has submitted no other
    ask(place, "scontrol", "update", f"JobId={waiting.split('_')[0]}", "StartTime=now")
    said = "".join(again.communicate())
    assert again.returncode == 0, said
    assert of_small(place.made("killed")) == of_small(local)


def test_jobs_of_other_settings_are_cancelled_first(place: Workplace, local: dict[str, str]) -> None:
    arguments = (*SLURM, "--source", "small")
    changed = ("--set", "data.sources.small.min_tokens=3", "--option", "begin=now+1hour")
    command = place.start("settings", *arguments, *changed)
    until(lambda: jobs(place))
    command.kill()
    command.communicate()
    code, said = place.prepare("settings", *arguments)
    assert code == 0, said
    assert jobs(place) == []
    assert of_small(place.made("settings")) == of_small(local)


def test_tasks_that_slurm_takes_away_are_requeued_and_change_no_byte(slurm: dict[str, str], tmp_path: Path) -> None:
    place = make_workplace(tmp_path, 5, slurm)
    one_stage = ("--set", "data.sources.web.dedup=none", "--set", "data.sources.web.sample=null")
    assert place.prepare("local", "--workers", "1", *one_stage)[0] == 0
    command = place.start("requeued", *SLURM, *one_stage)
    logs = place.data("requeued") / "sources/.work/web/tokenise/logs"
    until(lambda: list(logs.glob("*.log")))
    while command.poll() is None and not requeued(place):
        # what clusters send before they take a node away
        take_away = ["scancel", f"--user={getpass.getuser()}", "--state=RUNNING", "--signal=USR1"]
        subprocess.run(take_away, env=dict(place.environment), capture_output=True, check=False)
    assert requeued(place)
    said = "".join(command.communicate())
    assert command.returncode in (0, 4), said
    if command.returncode:  # the signal met a task that couldn't take it yet
        code, said = place.prepare("requeued", *SLURM, *one_stage)
        assert code == 0, said
    assert place.made("requeued") == place.made("local")


def requeued(place: Workplace) -> bool:
    return "Restarts=1" in ask(place, "scontrol", "--oneliner", "show", "jobs")


def of_small(files: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in files.items() if name.startswith("sources/small.")}
