"""Saving beside training: what is on disk is the step that was saved, and a save that fails harms nothing."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from megatron.core import dist_checkpointing

from prism.errors import PrismError, ResourcesExhausted
from prism.megatron import checkpoint
from prism.megatron.checkpoint import writing
from prism.megatron.checkpoint.snapshot import Snapshot
from prism.recipe import CheckpointConfig
from tests.megatron.test_damaged import groups, train, trainee, weights  # noqa: F401  the fixture is used


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB: room for one checkpoint of the tiny model and not for two."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_training_goes_on_and_the_checkpoint_is_of_the_step_that_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Snapshot.copy

    def late(self: Snapshot) -> None:
        time.sleep(0.3)  # the next forward and backward pass are over by then
        copy(self)

    monkeypatch.setattr(Snapshot, "copy", late)
    trained = trainee()
    trained.initialise(1)
    train(trained, 1)
    expected = weights(trained).clone()
    saver = checkpoint.Saver(tmp_path, CheckpointConfig())
    saver.save(trained.chunks, trained.optimizer, 1, {"tokens": 8})
    assert saver.pending and checkpoint.latest(tmp_path) is None
    after = [train(trained, 2), train(trained, 3)]
    saver.close()
    resumed = trainee()
    resumed.resume(checkpoint.require_latest(tmp_path))
    assert torch.equal(weights(resumed), expected)
    assert [train(resumed, 2), train(resumed, 3)] == after


def test_polling_takes_note_without_a_word_and_the_next_save_waits(tmp_path: Path) -> None:
    trained = trainee()
    trained.initialise(1)
    saver = checkpoint.Saver(tmp_path, CheckpointConfig(keep_last=9))
    for step in (1, 2, 3):
        saver.save(trained.chunks, trained.optimizer, step, {})
    while saver.pending:
        saver.poll()
    assert [path.name[-1] for path in checkpoint.complete(tmp_path)] == ["1", "2", "3"]


def test_the_newest_and_every_nth_are_kept(tmp_path: Path) -> None:
    trained = trainee()
    trained.initialise(1)
    saver = checkpoint.Saver(tmp_path, CheckpointConfig(keep_last=2, keep_every=3, asynchronous=False))
    for step in range(1, 9):
        saver.save(trained.chunks, trained.optimizer, step, {})
    assert [int(path.name[-1]) for path in checkpoint.complete(tmp_path)] == [3, 6, 7, 8]


def test_a_later_checkpoint_that_training_went_on_before_goes(tmp_path: Path) -> None:
    trained = trainee()
    trained.initialise(1)
    for step in (1, 9):
        trained.save(tmp_path, step, {})
    saver = checkpoint.Saver(tmp_path, CheckpointConfig(keep_last=2))
    saver.save(trained.chunks, trained.optimizer, 2, {}, wait=True)
    assert [int(path.name[-1]) for path in checkpoint.complete(tmp_path)] == [1, 2]


def test_a_full_disk_leaves_training_alive_and_the_earlier_checkpoint_whole(
    tiny_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained = trainee()
    trained.initialise(1)
    saver = checkpoint.Saver(tiny_disk, CheckpointConfig(keep_last=1))
    saver.save(trained.chunks, trained.optimizer, 1, {}, wait=True)
    (tiny_disk / "ballast").write_bytes(bytes(_free(tiny_disk) - 40_000))
    with caplog.at_level(logging.WARNING, "prism.megatron"):
        saver.save(trained.chunks, trained.optimizer, 2, {})
        train(trained, 2)
        saver.save(trained.chunks, trained.optimizer, 3, {})
        with pytest.raises(ResourcesExhausted, match="step 3 isn't saved: the disk is full") as full:
            saver.close()
    assert full.value.exit_code == 5
    assert sum("the disk is full. Remedy: free space" in line for line in caplog.messages) == 2
    assert sorted(path.name for path in tiny_disk.iterdir()) == ["ballast", "step_00000001"]
    (tiny_disk / "ballast").unlink()
    saver.save(trained.chunks, trained.optimizer, 4, {}, wait=True)
    assert checkpoint.require_latest(tiny_disk).step == 4


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.EIO, os.strerror(errno.EIO), "file"), ResourcesExhausted, "Input/output error"),
        (ValueError("a mistake of ours"), PrismError, "a mistake of ours"),
    ],
)
def test_what_the_writer_stumbles_over_is_said(
    error: Exception, kind: type[PrismError], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise error

    trained = trainee()
    trained.initialise(1)
    monkeypatch.setattr(writing, "write_summed", stumble)
    with pytest.raises(kind, match=words):
        checkpoint.Saver(tmp_path, CheckpointConfig()).save(trained.chunks, trained.optimizer, 1, {}, wait=True)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_save_are_removed(tmp_path: Path) -> None:
    for name in (".step_00000002.tmp", ".step_00000001.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("left")
    checkpoint.Saver(tmp_path, CheckpointConfig())
    assert list(tmp_path.iterdir()) == []


def test_a_kill_at_any_moment_leaves_a_checkpoint_that_loads(tmp_path: Path) -> None:
    """A process that saves again and again is killed after 12 waits of different lengths."""
    code = "from tests.megatron.test_saver import save_forever; save_forever()"
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=Path(__file__).parents[2])
    try:
        while not checkpoint.complete(tmp_path):
            assert process.poll() is None
            time.sleep(0.05)
        for number in range(12):
            process.send_signal(signal.SIGSTOP)
            found = checkpoint.require_latest(tmp_path)
            resumed = trainee()
            resumed.resume(found)
            assert float(weights(resumed)[0]) == found.step
            process.send_signal(signal.SIGCONT)
            time.sleep(0.003 + 0.0023 * number)
    finally:
        process.kill()
        process.wait()
    assert checkpoint.require_latest(tmp_path).step > 0


def save_forever() -> None:
    from prism.megatron.parallel import Layout, process_groups

    with process_groups(Layout(), seed=1):
        trained = trainee()
        trained.initialise(1)
        saver = checkpoint.Saver(Path(sys.argv[1]), CheckpointConfig(keep_last=1))
        for step in range(1, 100_000):
            with torch.no_grad():
                trained.weights()[0].view(-1)[0] = step
            saver.save(trained.chunks, trained.optimizer, step, {}, wait=True)


def test_megatron_core_reads_what_is_written(tmp_path: Path) -> None:
    trained = trainee()
    trained.initialise(1)
    train(trained, 1)
    saved = trained.save(tmp_path, 1, {})
    other = trainee()
    module = checkpoint.unwrap(other.chunk)
    own = module.sharded_state_dict()
    tree = {"model": own, "optimizer": other.optimizer.sharded_state_dict(own, is_loading=True)}
    loaded = dist_checkpointing.load(tree, str(saved.path))
    module.load_state_dict(loaded["model"])
    assert torch.equal(weights(other), weights(trained))
    assert loaded["optimizer"]["step"] == 1
    name = f"optimizer.state.exp_avg.{'embedding.word_embeddings.weight'}"
    assert name in dist_checkpointing.load_tensors_metadata(str(saved.path))
