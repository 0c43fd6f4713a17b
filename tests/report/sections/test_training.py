from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.files import write_jsonl
from prism.report import load_results
from prism.report.charts.figure import Figure
from prism.report.sections.training import training
from tests.report.made_up_run import write_recipe


def figures(run: Path, *rows: Mapping[str, Any]) -> dict[str, Figure]:
    """Figures of a run whose only stage left `rows`, by title."""
    write_recipe(run, {"run": {"name": "small"}, "pipeline": {"base": {"stage": "pretrain"}}})
    step = {"tokens": 64, "loss_by_source": {"web": 3.0, "math": 2.0}, "learning_rate": 1e-3}
    timing = {"tokens_per_second": 900.0, "mfu": None, "data_wait": 0.25}
    write_jsonl(
        run / "stages/base/metrics.jsonl",
        [{"step": number, "loss": 2.5, "timing": timing, **step, **row} for number, row in enumerate(rows, start=1)],
    )
    return {figure.title: figure for figure in training(load_results(run))}


def test_what_happened_is_said_below_the_loss(tmp_path: Path) -> None:
    spike = {"notes": ["loss spike: 4.1 is far above", "another"]}
    found = figures(tmp_path, {}, spike, {"skipped": True, "notes": ["step skipped"]}, {"skipped": True})
    assert found["Loss, overall"].note.endswith("base: loss spikes at step 2; skipped at step 3, 4.")


def test_held_out_losses_have_a_curve_a_source(tmp_path: Path) -> None:
    looks = [{"validation": {"loss": loss, "loss_by_source": {"math": loss}}} for loss in (2.2, 2.1)]
    found = figures(tmp_path, {}, looks[0], {}, looks[1])
    assert [key.name for key in found["Held-out loss by source: base"].legend] == ["math"]
    assert "Held-out loss by source: base" not in figures(tmp_path / "none", {}, {})


def test_the_wait_for_data_is_shown_where_it_was_measured(tmp_path: Path) -> None:
    found = figures(tmp_path, {}, {})
    assert "Wait for data" in found
    assert "MFU" not in found
