"""Spikes of made-up losses, steps that were skipped, ranks that hold up the others."""

from __future__ import annotations

import json
import math
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prism.errors import PrismError
from prism.megatron.parallel import Layout, process_groups
from prism.recipe.schema.operation import OperationConfig
from prism.train.health import Health, SpikeWatch
from prism.train.stragglers import RankPace, slow_ranks
from tests.models.tiny_io import run
from tests.train.health_worker import EVERY, STEPS
from tests.train.standing_in import stage_in


def curve(steps: int, seed: int = 1) -> list[float]:
    """A loss that falls from 9 to 2, with noise."""
    noise = random.Random(seed)
    return [2 + 7 * math.exp(-8 * step / steps) + noise.gauss(0, 0.05) for step in range(steps)]


@pytest.fixture
def health(tmp_path: Path) -> Iterator[Health]:
    with process_groups(Layout(), seed=1):
        health = Health(OperationConfig(max_invalid_steps=3))
        health.begin(stage_in(tmp_path), 0)
        yield health


def notes(health: Health, step: int, loss: float, **more: Any) -> list[str]:
    row: dict[str, Any] = {"step": step, "loss": loss, **more}
    health.after_step(step, row)
    return list(row.get("notes", []))


def test_a_falling_noisy_loss_has_no_spike() -> None:
    for seed in range(5):
        watch = SpikeWatch(128, 8.0)
        assert [note for loss in curve(2_000, seed) if (note := watch.look(loss))] == []


def test_a_spike_is_noted_where_it_begins_and_once() -> None:
    losses = curve(1_000)
    losses[700:705] = [4.0, 5.0, 4.5, 3.9, 3.5]
    losses[900] = 2.9
    watch = SpikeWatch(128, 8.0)
    found = {step: note for step, loss in enumerate(losses) if (note := watch.look(loss))}
    assert list(found) == [700, 900]
    assert found[700].startswith("loss spike: 4.000 is ")
    assert found[700].endswith("the median of the 128 steps before")


def test_a_loss_that_stays_higher_becomes_the_usual_one() -> None:
    watch = SpikeWatch(64, 8.0)
    losses = [2.0 + 0.01 * (step % 5) for step in range(100)] + [3.0 + 0.01 * (step % 5) for step in range(200)]
    assert [step for step, loss in enumerate(losses) if watch.look(loss)] == [100]
    assert watch.look(3.5) is not None


def test_after_a_resume_spikes_are_judged_as_without_it() -> None:
    losses = curve(300)
    losses[200:202] = [4.0, 4.0]
    straight, before, after = SpikeWatch(64, 8.0), SpikeWatch(64, 8.0), SpikeWatch(64, 8.0)
    expected = [straight.look(loss) for loss in losses]
    found = [before.look(loss) for loss in losses[:201]]
    after.restore(json.loads(json.dumps(before.state())))
    assert found + [after.look(loss) for loss in losses[201:]] == expected


def test_skipped_steps_are_counted_and_too_many_in_a_row_stop_the_stage(health: Health) -> None:
    assert notes(health, 1, 3.0) == []
    assert "1 in a row (the stage stops at 3), 1 so far" in notes(health, 2, math.nan, skipped=True)[0]
    assert notes(health, 3, 3.0) == []
    assert "1 in a row (the stage stops at 3), 2 so far" in notes(health, 4, math.inf, skipped=True)[0]
    notes(health, 5, 3.0, skipped=True)
    resumed = Health(OperationConfig(max_invalid_steps=3))
    resumed.restore(json.loads(json.dumps(health.state())))
    with pytest.raises(PrismError, match="3 steps in a row") as stopped:
        notes(health, 6, 3.0, skipped=True)
    assert stopped.value.exit_code == 1
    assert "mid, steps 4 to 6" in str(stopped.value)
    assert "learning_rate" in str(stopped.value)
    assert resumed.state()["in_a_row"] == 2


def test_notes_of_others_stay(health: Health) -> None:
    assert notes(health, 1, math.nan, skipped=True, notes=["another"])[0] == "another"


def test_slow_is_who_takes_longer_than_the_median_rank() -> None:
    alike = [RankPace(1.0, 0.001)] * 6
    assert slow_ranks(alike, 1.5) == {}
    found = slow_ranks([*alike, RankPace(2.0, 0.001), RankPace(1.4, 0.3)], 1.5)
    assert found == {
        (6, "compute"): "computes 2.0 times slower than the median rank",
        (7, "data"): "waits 0.30 s a step for data, the median rank 0.01 s",
    }


def test_all_ranks_name_the_one_that_waits_for_data_from_the_second_look_on(tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    run("tests.train.health_worker", out, ranks=2)
    first, second = json.loads(out.read_text())
    assert first == second
    assert len(first) == STEPS
    for step, timing in enumerate(first, start=1):
        if step % EVERY or step == EVERY:
            assert timing == {}
        else:
            assert timing["slow_ranks"] == [
                f"rank 1 ({socket.gethostname()}) waits 1.80 s a step for data, the median rank 0.01 s"
            ]
