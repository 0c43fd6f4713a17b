from pathlib import Path

from data_prep.files import write_jsonl
from prism.report import load_results
from prism.report.sections.gate import gate
from tests.report.made_up_run import write_recipe


def look(degradation: float, low: float | None, limit: float) -> dict[str, object]:
    high = None if low is None else 2 * degradation - low
    return {
        "general": {"figure": "bits_per_byte", "degradation": degradation, "low": low, "high": high, "limit": limit}
    }


def test_a_look_that_shows_a_loss_is_named(tmp_path: Path) -> None:
    write_recipe(tmp_path, {"pipeline": {"mid": {"stage": "midtrain"}}})
    rows = [
        {"step": 1, "retention": look(1.0, None, 9.0)},
        {"step": 2},
        {"step": 3, "retention": look(9.5, 8.0, 8.5)},
        {"step": 4, "retention": look(12.0, 8.1, 8.0)},
    ]
    write_jsonl(tmp_path / "stages/mid/metrics.jsonl", [{"tokens": 1, "loss": 2.0, **row} for row in rows])
    (figure,) = gate(load_results(tmp_path))
    assert figure.title == "Retention gate: mid, general"
    assert "at step 4 more is surely lost" in figure.note
    assert "than at the start, %" in figure.svg


def test_without_a_gate_there_is_no_figure(tmp_path: Path) -> None:
    write_recipe(tmp_path, {"pipeline": {"mid": {"stage": "midtrain"}}})
    write_jsonl(tmp_path / "stages/mid/metrics.jsonl", [{"step": 1, "tokens": 1, "loss": 2.0}])
    assert gate(load_results(tmp_path)) == ()
