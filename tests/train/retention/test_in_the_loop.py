"""The gate in real processes: a blend that it changes is replayed when the stage is killed and goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.train.conftest import SmallRun

M = "midtrain.retention.measures.general"
KEYS = (
    "pipeline.base.with.steps=60",
    "pipeline.base.with.schedule.warmup_steps=5",
    "midtrain.steps=24",
    "midtrain.schedule.warmup_steps=2",
    "midtrain.checkpoint.every_steps=5",
    "midtrain.retention.every_steps=4",
    "midtrain.retention.action=switch",
    "midtrain.retention.switch_to=math_code_science",
    "midtrain.retention.after_switch=warn",
    f"{M}.kind=text",
    f"{M}.path=world/heldout_general.jsonl",
    f"{M}.given_tokens=1",
    f"{M}.tolerance_percent=0",
    f"{M}.transient_percent=0",
)


def test_a_stage_that_is_killed_after_a_switch_ends_as_if_it_had_not_been(
    small_run: Callable[..., SmallRun], tmp_path: Path
) -> None:
    run = small_run("miniature", *KEYS)
    run.train("base")
    killed = run.copy(tmp_path / "killed")
    whole = run.train("mid_no_general")
    looks = {row["step"]: row["retention"]["general"] for row in whole if "retention" in row}
    assert list(looks) == [4, 8, 12, 16, 20, 24]
    (event,) = json.loads((run.directory / "stages" / "mid_no_general" / "events.json").read_text())
    assert event["blend"] == "math_code_science" and looks[event["step"]]["verdict"] == "lost"
    assert "general" not in whole[0]["loss_by_source"] and "general" in whole[-1]["loss_by_source"]

    killed.train_until_killed("mid_no_general", event["step"] + 3)
    assert killed.train("mid_no_general") == whole
