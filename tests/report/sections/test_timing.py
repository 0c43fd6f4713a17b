"""The time of each stage, and which share of it were steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prism.report.results import load_results
from prism.report.sections.timing import timing
from prism.report.shapes import NodeTime


def test_goodput_is_told_with_the_tries_that_it_took(miniature_run: Path) -> None:
    tried = {"goodput": {"tries": 3, "held_s": 100.0, "productive_s": 62.0, "share": 0.62}}
    once = {"goodput": {"tries": 1, "held_s": 10.0, "productive_s": 9.0, "share": 0.9}}
    nodes = {
        "base": NodeTime("pretrain", 10.0, events=(once,)),
        "mid": NodeTime("midtrain", 100.0, events=({"sandbox": "none"}, tried)),
        "report": NodeTime("report", 1.0),
    }
    figure = timing(replace(load_results(miniature_run), nodes=nodes))
    assert figure is not None and "held: base 90%, mid 62% in 3 tries." in figure.note


def test_without_steps_nothing_is_said(miniature_run: Path) -> None:
    figure = timing(replace(load_results(miniature_run), nodes={"data": NodeTime("data", 3.0)}))
    assert figure is not None and "Goodput" not in figure.note
