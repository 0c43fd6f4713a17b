"""Several runs on one page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from prism.errors import UsageError
from prism.report import write_comparison, write_report
from tests.report import made_up_run
from tests.report.browser import open_page


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of the same pipeline: the second trains at another rate and learns less; only the first has a report."""
    folder = tmp_path_factory.mktemp("runs")
    made = []
    for name, rate, learnt in (("first", 1e-3, 0.5), ("second", 2e-3, 0.2)):
        run = folder / name
        pipeline = {"base": {"stage": "pretrain"}, "mid": {"stage": "midtrain", "from": "base"}}
        midtrain = {"blend": "math", "optimizer": {"learning_rate": rate}}
        made_up_run.write_recipe(run, {"run": {"name": name}, "midtrain": midtrain, "pipeline": pipeline})
        for stage, passed in (("base", 0.0), ("mid", learnt)):
            made_up_run.write_generation(run, stage, "math", passed)
            made_up_run.write_choice(run, stage, 0.9)
        made_up_run.write_weights(run, "base", "mid", 0.2, 9.0)
        made.append(run)
    write_report(made[0])
    return made


def test_a_page_shows_what_differs_and_what_came_of_it(runs: list[Path], tmp_path: Path) -> None:
    page = write_comparison(runs, tmp_path)
    text = page.read_text()
    assert page == tmp_path / "compare.html"
    keys = re.findall(r"<tr><th scope=\"row\"><code>([^<]+)</code>", text)
    assert keys == ["midtrain.optimizer.learning_rate"]
    assert "0.001" in text and "0.002" in text
    figures = re.findall(r"<h3>([^<]+)</h3>", text)
    assert figures == [
        "Sampled pass rate, mean of the tasks",
        "Sampled pass rate: math",
        "General skill: miniature_facts",
        "Weights moved from the stage before",
    ]
    links = [link for link in re.findall(r'href="([^"#]+)"', text) if link != "data:,"]
    assert len(links) == 1 and (tmp_path / links[0]).resolve() == runs[0] / "report.html"
    assert open_page(page, tmp_path).console == ()


def test_runs_of_one_name_are_told_apart_by_their_folders(runs: list[Path], tmp_path: Path) -> None:
    for folder in ("a", "b"):
        made_up_run.write_recipe(tmp_path / folder / "run", {"pipeline": {"base": {"stage": "pretrain"}}})
    page = write_comparison([tmp_path / "a/run", tmp_path / "b/run"], tmp_path / "both.html")
    assert "<h1>a/run, b/run</h1>" in page.read_text()
    assert "The recipes are the same." in page.read_text()


def test_one_run_is_no_comparison(runs: list[Path], tmp_path: Path) -> None:
    for wrong in ([runs[0]], [runs[0], runs[0]]):
        with pytest.raises(UsageError, match="two or more different runs"):
            write_comparison(wrong, tmp_path)
