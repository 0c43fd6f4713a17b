from pathlib import Path

import pytest

from prism.report import load_results
from prism.report.sections.blends import blends


def test_epochs_follow_the_tokens_that_the_stage_has_seen(miniature_run: Path) -> None:
    view = next(view for view in blends(load_results(miniature_run)) if view.name == "base")
    assert view.stages == ("base",)
    assert view.budget_tokens == 200 * 1_024
    general = view.rows[0]
    assert (general.source, general.weight_percent) == ("general", 50)
    assert general.epochs == pytest.approx(0.5 * 200 * 1_024 / 300_000)


def test_blends_come_in_the_order_of_the_stages(miniature_run: Path) -> None:
    names = [view.name for view in blends(load_results(miniature_run))]
    assert names == ["base", "math_code_science", "math_code", "math", "no_general"]
