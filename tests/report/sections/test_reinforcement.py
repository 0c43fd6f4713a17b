from pathlib import Path

from prism.report import load_results
from prism.report.sections.reinforcement import reinforcement


def test_the_difficulty_of_the_prompts_comes_before_the_curves(miniature_run: Path) -> None:
    figures = reinforcement(load_results(miniature_run))
    assert [figure.title for figure in figures[:3]] == [
        "How hard the prompts are: hard",
        "Reward",
        "Pass rate on each step's prompts",
    ]
    assert [key.name for key in figures[0].legend] == ["math", "code", "science"]


def test_every_rl_stage_has_a_curve(miniature_run: Path) -> None:
    reward = reinforcement(load_results(miniature_run))[1]
    assert [key.name for key in reward.legend] == [
        "rl",
        "rl_from_base",
        "rl_from_math_code",
        "rl_on_math_code",
        "rl_on_math",
    ]
