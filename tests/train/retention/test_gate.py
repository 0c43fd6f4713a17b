"""What the gate does: looks on its schedule, keeps still, warns, stops, switches, and goes on after a resume."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from prism.errors import BadInput, GateRefused
from prism.train.retention import RetentionGate
from tests.train.retention.conftest import STEPS, run

SWITCH = ("midtrain.retention.action=switch", "midtrain.retention.switch_to=math_code_science")


def test_it_looks_on_its_schedule_and_after_the_last_step(stage: Any) -> None:
    _, rows = run(stage("midtrain.retention.every_steps=30"), {1: 1.0})
    assert list(rows) == [30, 60, 90, STEPS]
    last = rows[STEPS]
    assert last["low"] < last["degradation"] < last["high"] < last["limit"] == 2.0
    assert last["verdict"] == "kept"
    assert last["now"] / last["start"] == pytest.approx(1 + last["degradation"] / 100)


def test_a_loss_within_tolerance_is_no_alarm(stage: Any) -> None:
    training = stage()
    _, rows = run(training, {1: 1.9})
    assert {row["verdict"] for row in rows.values()} <= {"kept", "open"}
    assert training.went_back_to is None and not training.switches


def test_what_is_allowed_shrinks_from_tolerance_and_transient_to_the_tolerance(stage: Any) -> None:
    _, rows = run(stage(), {1: 0.5})
    assert rows[10]["limit"] == pytest.approx(2 + 2 * 0.9)
    assert rows[STEPS]["limit"] == 2


def test_a_transient_loss_passes_early_and_is_refused_late(stage: Any) -> None:
    run(stage(), {1: 3.0, 40: 0.5})
    with pytest.raises(GateRefused, match="at step 80"):
        run(stage(), {1: 0.5, 75: 3.0})


def test_stop_goes_back_to_the_last_look_within_the_limit(stage: Any) -> None:
    training = stage()
    training.checkpoints = (15, 35)
    with pytest.raises(GateRefused) as refused:
        run(training, {1: 0.5, 31: 9.0})
    assert training.went_back_to == 30
    said = str(refused.value)
    assert refused.value.exit_code == 3
    assert "mid: general is worse by 8." in said or "mid: general is worse by 9." in said
    assert "allowed 3.20" in said and "at step 40" in said and "back at step 15" in said
    assert "retention.action" in said


def test_without_a_checkpoint_from_before_it_says_so(stage: Any) -> None:
    with pytest.raises(GateRefused, match="no checkpoint before that"):
        run(stage(), {1: 9.0})


def test_warn_says_it_at_every_look_and_goes_on(stage: Any, caplog: pytest.LogCaptureFixture) -> None:
    training = stage("midtrain.retention.action=warn")
    with caplog.at_level(logging.WARNING, "prism.train"):
        _, rows = run(training, {71: 9.0})
    assert [row["verdict"] for step, row in rows.items() if step > 70] == ["lost"] * 3
    assert sum("general is worse by" in record.message for record in caplog.records) == 3
    assert training.went_back_to is None


def test_switch_changes_the_blend_once_and_allows_what_was_lost_by_then(stage: Any) -> None:
    training = stage(*SWITCH)
    _, rows = run(training, {21: 9.0, 45: 10.0})
    assert training.switches == [(30, "math_code_science")]
    lost = rows[30]["degradation"]
    assert all(row["limit"] == pytest.approx(lost + 2) for step, row in rows.items() if step > 30)


def test_what_a_switch_has_brought_back_may_not_be_lost_again(stage: Any) -> None:
    training = stage(*SWITCH)
    with pytest.raises(GateRefused, match="at step 80"):
        run(training, {21: 9.0, 45: 0.5, 75: 8.0})
    assert training.went_back_to == 70


@pytest.mark.parametrize("after", ["stop", "warn"])
def test_a_further_loss_after_a_switch_does_what_after_switch_says(stage: Any, after: str) -> None:
    training = stage(*SWITCH, f"midtrain.retention.after_switch={after}")
    losses = {21: 9.0, 55: 20.0}
    if after == "warn":
        run(training, losses)
        assert training.went_back_to is None
    else:
        with pytest.raises(GateRefused, match="at step 60"):
            run(training, losses)
        assert training.went_back_to == 50
    assert training.switches == [(30, "math_code_science")]


def test_a_loss_that_only_the_last_look_shows_is_no_reason_to_switch(stage: Any) -> None:
    training = stage(*SWITCH)
    with pytest.raises(GateRefused, match=f"at step {STEPS}"):
        run(training, {95: 9.0})
    assert not training.switches


def test_a_resumed_stage_decides_as_if_it_had_never_stopped(stage: Any) -> None:
    losses = {1: 1.0, 21: 9.0, 45: 12.0, 80: 3.0}
    whole, rows = run(stage(*SWITCH, "midtrain.retention.after_switch=warn"), losses)
    for stopped in (15, 30, 65):
        training = stage(*SWITCH, "midtrain.retention.after_switch=warn")
        watching = RetentionGate(None)  # type: ignore[arg-type]
        watching.begin(training, 0)
        for step in range(1, stopped + 1):
            training.trainee.loss_percent = losses.get(step, training.trainee.loss_percent)
            watching.after_step(step, {})
        saved = json.loads(json.dumps(watching.state()))
        again, later = run(training, losses, saved, after=stopped)
        assert later == {step: row for step, row in rows.items() if step > stopped}
        assert again.state() == whole.state()
        assert training.switches == [(30, "math_code_science")]


def test_other_documents_than_before_are_refused(stage: Any) -> None:
    watching, _ = run(stage(), {})
    with pytest.raises(BadInput, match="aren't those that the stage began with"):
        run(stage(), {}, watching.state() | {"items": "others"}, after=50)


def test_a_gate_can_not_begin_in_the_middle(stage: Any) -> None:
    with pytest.raises(BadInput, match="step 50 was saved without a retention gate"):
        run(stage(), {}, None, after=50)


def test_without_a_gate_or_a_parent_nothing_happens(stage: Any) -> None:
    training = stage()
    training.stage = "base"
    watching, rows = run(training, {1: 50.0})
    assert not rows and not watching.state()


def test_the_cost_is_told_beside_the_other_timing(stage: Any) -> None:
    watching = RetentionGate(None)  # type: ignore[arg-type]
    watching.begin(stage(), 0)
    row: dict[str, Any] = {"timing": {"seconds": 1.0}}
    watching.after_step(10, row)
    assert row["timing"]["seconds"] == 1.0
    assert 0 < row["timing"]["retention"]["share"] <= 1
