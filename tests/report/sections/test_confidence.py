"""Confidence from the samples that evaluation kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_prep.files import write_jsonl
from prism.report import load_results, write_report
from prism.report.sections.confidence import stage_confidence
from prism.tally.confidence import Split
from tests.report import made_up_run


def answer(correct: bool, tokens: int, nll: float | None) -> dict[str, Any]:
    return {"text": "x", "correct": correct, "formatted": True, "stopped": True, "tokens": tokens, "nll": nll}


def write(run: Path, *responses: dict[str, Any]) -> None:
    made_up_run.write_recipe(run, {"pipeline": {"mid": {"stage": "midtrain"}}})
    made_up_run.write_generation(run, "mid", "math", 0.5)
    rows = [{"id": n, "prompt": "p", "answer": "1", "responses": [one]} for n, one in enumerate(responses)]
    write_jsonl(run / "stages/mid/evaluate/miniature_math.samples.jsonl", rows)


def test_right_and_wrong_responses_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, answer(True, 10, 0.1), answer(True, 20, 0.3), answer(True, 60, 0.2), answer(False, 44, 1.0))
    (stage,) = stage_confidence(load_results(tmp_path))
    row = stage.found
    assert (stage.stage, stage.tasks, row.pass_rate) == ("mid", ("miniature_math",), 0.75)
    assert row.overall == Split(4, 32, 0.4)
    assert (row.correct.median_tokens, round(row.correct.mean_nll or 0, 9)) == (20, 0.2)
    assert row.incorrect == Split(1, 44, 1.0)
    assert "<h3>Confidence</h3>" in write_report(tmp_path).read_text()


def test_samples_without_probabilities_make_no_table(tmp_path: Path) -> None:
    write(tmp_path, answer(True, 10, None))
    assert stage_confidence(load_results(tmp_path)) == ()
    assert "<h3>Confidence</h3>" not in write_report(tmp_path).read_text()
