"""What trackers hold after a stage that was killed and resumed."""

from __future__ import annotations

import errno
import importlib.util
import math
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prism.errors import UsageError
from prism.megatron.parallel import Layout, process_groups
from prism.recipe.schema.operation import OperationConfig
from prism.train.crc32c import Crc32c
from prism.train.event_file import EventFile, event
from prism.train.trackers import Trackers, flatten
from tests.train.standing_in import STAGE, stage_in

if TYPE_CHECKING:
    from prism.train.callback import Training


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Training]:
    with process_groups(Layout(), seed=1):
        yield stage_in(tmp_path)


def row(step: int, loss: float) -> dict[str, Any]:
    timing = {"tokens_per_second": 1_000.0, "mfu": None, "slow_ranks": ["rank 1"]}
    return {"step": step, "tokens": 64 * step, "loss": loss, "loss_by_source": {"general": loss}, "timing": timing}


def train(stage: Training, settings: OperationConfig, steps: range, loss: float) -> None:
    trackers = Trackers(settings)
    trackers.begin(stage, steps.start - 1)
    for step in steps:
        trackers.after_step(step, row(step, loss))
    trackers.end()


def killed_and_resumed(stage: Training, *names: str) -> None:
    """Steps 1 to 6, then from step 4 on again, as after a kill."""
    settings = OperationConfig(trackers=list(names))  # type: ignore[arg-type]
    train(stage, settings, range(1, 7), 3.0)
    train(stage, settings, range(4, 9), 2.0)


def test_numbers_are_named_by_their_way_through_the_row() -> None:
    assert dict(flatten({**row(7, 2.5), "skipped": True, "notes": ["x"]})) == {
        "tokens": 448.0,
        "loss": 2.5,
        "loss_by_source/general": 2.5,
        "timing/tokens_per_second": 1_000.0,
        "skipped": 1.0,
    }


def test_crc_is_that_of_rfc_3720() -> None:
    crc = Crc32c()
    assert crc(b"123456789") == 0xE3069283
    assert crc(bytes(32)) == 0x8A9136AA
    assert crc(b"\xff" * 32) == 0x62A8AB43
    assert crc(bytes(range(32))) == 0x46DD794E


def test_events_are_byte_by_byte_what_tensorboard_writes() -> None:
    """The right sides are SerializeToString() of tensorboard 2.21.0's Event, with wall_time=1.5."""
    # summary=Summary(value=[Value(tag="loss", simple_value=2.5)])
    value = bytes.fromhex("0a0b0a046c6f73731500002040")
    assert event(1.5, 300, value).hex() == "09000000000000f83f10ac022a0d0a0b0a046c6f73731500002040"
    # session_log=SessionLog(status=SessionLog.START)
    assert event(1.5, 300, start=True).hex() == "09000000000000f83f10ac023a020801"
    # file_version="brain.Event:2"
    assert event(1.5, 0, version=True).hex() == "09000000000000f83f1a0d627261696e2e4576656e743a32"


def test_every_record_of_an_event_file_is_whole(tmp_path: Path) -> None:
    with EventFile(tmp_path, 1) as file:
        file.add(1, {"loss": 2.5, "grad_norm": math.nan, "huge": 1e300})
    (path,) = tmp_path.iterdir()
    data, crc, records = path.read_bytes(), Crc32c(), []
    while data:
        size = struct.unpack("<Q", data[:8])[0]
        for content, at in ((data[:8], 8), (data[12 : 12 + size], 12 + size)):
            own = crc(content)
            assert struct.unpack("<I", data[at : at + 4])[0] == ((own >> 15 | own << 17) + 0xA282EAD8) % 2**32
        records.append(data[12 : 12 + size])
        data = data[16 + size :]
    assert b"brain.Event:2" in records[0]
    assert len(records) == 3
    assert b"loss\x15" + struct.pack("<f", 2.5) in records[2]


def test_tensorboard_shows_each_step_once(stage: Training) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    killed_and_resumed(stage)
    read = accumulator.EventAccumulator(str(stage.folder / "tensorboard"))
    read.Reload()
    assert set(read.Tags()["scalars"]) == set(dict(flatten(row(1, 1.0))))
    found = [(value.step, value.value) for value in read.Scalars("loss")]
    assert found == [(1, 3.0), (2, 3.0), (3, 3.0), *((step, 2.0) for step in range(4, 9))]


def test_mlflow_has_each_step_once(stage: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    killed_and_resumed(stage, "mlflow")
    client = mlflow.MlflowClient(f"sqlite:///{stage.folder / 'mlflow/mlflow.db'}")
    experiment = client.get_experiment_by_name(stage.recipe.run.name)
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == STAGE
    assert run.info.status == "FINISHED"
    assert run.data.params["optimizer.learning_rate"] == str(stage.config.optimizer.learning_rate)
    history = client.get_metric_history(run.info.run_id, "loss_by_source/general")
    assert sorted(metric.step for metric in history) == list(range(1, 9))


def test_wandb_has_each_step_once(stage: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    killed_and_resumed(stage, "wandb")
    expected = [[1, 2, 3, 4, 5, 6], [7, 8]]
    files = sorted((stage.folder / "wandb").glob("offline-run-*/*.wandb"))
    assert len({file.name for file in files}) == 1
    deadline = time.monotonic() + 60  # W&B's own process writes the last records when it likes
    while [wandb_steps(file) for file in files] != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [wandb_steps(file) for file in files] == expected


def wandb_steps(file: Path) -> list[int]:
    """Steps of a .wandb file: LevelDB's log format after 7 bytes of W&B's own."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole, steps = file.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        if at % 32_768 > 32_768 - 7:  # the rest of a block is too short for a record's head
            at += -at % 32_768
            continue
        size, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a full record, or the last part of one
            record = Record.FromString(whole)
            whole = b""
            if record.WhichOneof("record_type") == "history":
                steps.append(record.history.step.num)
    return steps


def test_a_tracker_that_fails_is_left_out_and_the_training_goes_on(
    stage: Training, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    steps: list[int] = []

    def full(self: EventFile, step: int, scalars: Mapping[str, float]) -> None:
        steps.append(step)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(EventFile, "add", full)
    train(stage, OperationConfig(), range(1, 4), 2.0)
    assert steps == [1]
    assert "EventFile gets no more metrics" in caplog.text


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_that_is_not_installed_names_the_extra(name: str, stage: Training) -> None:
    if importlib.util.find_spec(name) is not None:
        pytest.skip(f"{name} is installed")
    with pytest.raises(UsageError, match=r"prism-megatron\[tracking\]") as missing:
        train(stage, OperationConfig(trackers=[name]), range(1, 2), 1.0)  # type: ignore[list-item]
    assert missing.value.exit_code == 2
    assert not (stage.folder / "tensorboard").exists()
