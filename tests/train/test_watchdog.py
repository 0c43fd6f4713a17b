"""Two real processes of which one hangs: the report names it and shows where it is."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from prism.launch.local import free_port
from prism.megatron.parallel import Layout, process_groups
from prism.recipe.schema.operation import OperationConfig
from prism.train.heartbeats import LEFT, Heartbeat, Heartbeats, culprits
from prism.train.watchdog import Watchdog, all_stacks, where
from tests.models.tiny_io import ROOT
from tests.train.conftest import environment
from tests.train.standing_in import STAGE, stage_in

MINUTES = 0.1


class Pair:
    """Two ranks of tests.train.watchdog_worker."""

    def __init__(self, root: Path, how: str) -> None:
        self.run = root / "miniature"
        command = [sys.executable, "-m", "tests.train.watchdog_worker", str(root), how, str(MINUTES)]
        world = {
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(free_port()),
            "PYTHONPATH": str(ROOT),
        }
        self.ranks = [
            subprocess.Popen(
                command, cwd=ROOT, env={**environment(), **world, "RANK": str(rank)}, stderr=subprocess.PIPE, text=True
            )
            for rank in range(2)
        ]

    def wait(self, rank: int) -> tuple[int, str]:
        """Exit code, and what it wrote to its log."""
        _, log = self.ranks[rank].communicate()
        return self.ranks[rank].returncode, log

    def report(self, rank: int) -> str:
        return (self.run / f"logs/{STAGE}.hang_rank{rank}.txt").read_text()


def test_both_ranks_end_and_name_the_one_that_sleeps(tmp_path: Path) -> None:
    pair = Pair(tmp_path, "sleep")
    ended = [pair.wait(rank) for rank in range(2)]
    assert [code for code, _ in ended] == [1, 1]
    for rank, (_, log) in enumerate(ended):
        report = pair.report(rank)
        for text in (report, log):
            assert f"rank {rank} (" in text
            assert f"pid {pair.ranks[rank].pid}) hangs: step 3 for more than 0.1 minutes, since 2" in text
            assert f"pid {pair.ranks[1].pid}): step 3 since 2" in text
            assert "in sleeps_forever (watchdog_worker.py:" in text
            assert "waits for nobody, while the others wait in a collective" in text
    assert "time.sleep(3_600)" in pair.report(1)
    assert "all_reduce" in pair.report(0)
    # What `prism run` shows of a log are its last lines.
    assert "whom the ranks wait for: rank 1" in "\n".join(ended[0][1].splitlines()[-4:])


def test_a_rank_that_is_stopped_is_named_by_the_other(tmp_path: Path) -> None:
    pair = Pair(tmp_path, "stop")
    code, log = pair.wait(0)
    pair.ranks[1].kill()
    pair.wait(1)
    assert code == 1
    assert f"whom the ranks wait for: rank 1 ({beat_host(pair.report(0))}, pid {pair.ranks[1].pid})" in log
    assert "its process is dead, stopped or doesn't let Python run" in log


def test_a_stage_that_works_leaves_no_thread_and_no_file(tmp_path: Path) -> None:
    stage = stage_in(tmp_path, "pipeline.mid.with.steps=3")
    with process_groups(Layout(), seed=1):
        watchdog = Watchdog(OperationConfig(hang_minutes=10))
        watchdog.begin(stage, 0)
        assert "watchdog" in [thread.name for thread in threading.enumerate()]
        for step in range(1, 4):
            watchdog.before_step(step)
            assert Heartbeats(stage.folder / "heartbeats").read(1)[0].phase == "before step 1"
            with watchdog.pause():
                watchdog.after_step(step, {})
        watchdog.end()
    assert "watchdog" not in [thread.name for thread in threading.enumerate()]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_rank_that_leaves_early_says_so(tmp_path: Path) -> None:
    stage = stage_in(tmp_path)
    with process_groups(Layout(), seed=1):
        watchdog = Watchdog(OperationConfig(hang_minutes=10))
        watchdog.begin(stage, 7)
        watchdog.before_step(8)
        watchdog.end()
    (beat,) = Heartbeats(stage.folder / "heartbeats").read(1)
    assert (beat.step, beat.phase) == (8, LEFT)


def beat_host(report: str) -> str:
    return report.split("(", 1)[1].split(",", 1)[0]


BEAT = Heartbeat(0, "node1", 11, 42, "step 42", 1_000.0, "in all_reduce (x.py:1)", True, 1_100.0)
OTHERS = [replace(BEAT, rank=rank) for rank in range(3)]


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (replace(BEAT, rank=3, written=1_000.0), "gave no sign of life lately"),
        (replace(BEAT, rank=3, step=41, phase=LEFT, written=900.0), "trains no more, others are at step 42"),
        (replace(BEAT, rank=3, step=41, phase="after step 41"), "is behind, others are at step 42"),
        (replace(BEAT, rank=3, waits=False), "waits for nobody"),
    ],
)
def test_the_rank_apart_from_the_others_is_named(last: Heartbeat, said: str) -> None:
    verdict = culprits([*OTHERS, last], 4, silent_after=30.0)
    assert verdict.startswith(f"rank 3 (node1, pid 11): {last.phase} since ")
    assert said in verdict


def test_where_no_rank_is_apart_none_is_named() -> None:
    assert culprits(OTHERS, 4, 30.0) == "rank 3, which never gave a sign of life"
    assert culprits(OTHERS, 3, 30.0).startswith("every rank waits in a collective")
    busy = [replace(beat, waits=False, place="in item (y.py:2)") for beat in OTHERS]
    assert culprits(busy, 3, 30.0).startswith("no rank tells by where it is")
    busy[2] = replace(busy[2], place="in read (z.py:3)")
    assert "rank 2 (node1" in culprits(busy, 3, 30.0)
    assert "is elsewhere than the others, who are in item (y.py:2)" in culprits(busy, 3, 30.0)


def test_a_heartbeat_is_read_whole_and_a_broken_one_not_at_all(tmp_path: Path) -> None:
    beats = Heartbeats(tmp_path / "heartbeats")
    beats.write(BEAT)
    beats.write(replace(BEAT, step=43))
    (tmp_path / "heartbeats/rank1.json").write_text('{"rank": 1')
    assert beats.read(4) == [replace(BEAT, step=43)]


def test_stacks_of_all_threads_are_told_by_name() -> None:
    over = threading.Event()

    def waits_for_the_end() -> None:
        over.wait()

    thread = threading.Thread(target=waits_for_the_end, name="reader")
    thread.start()
    found: list[str] = []
    watching = threading.Thread(target=lambda: found.append(all_stacks(threading.main_thread().ident or 0)))
    watching.start()
    watching.join()
    over.set()
    thread.join()
    assert found[0].startswith("thread MainThread:\n")
    assert "thread reader:" in found[0]
    assert "in waits_for_the_end" in found[0]


def test_no_frame_is_nowhere() -> None:
    assert where(None) == ("nowhere", False)
