from pathlib import Path

import pytest

from data_prep.files import read_json, write_json
from prism.report import load_results
from prism.report.sections.overview import overview
from tests.report import made_up_run

PIPELINE = {
    "base": {"stage": "pretrain"},
    "mid": {"stage": "midtrain", "from": "base"},
    "rl": {"stage": "rl", "from": "mid"},
}


@pytest.mark.parametrize(
    ("sampled", "greedy", "said"),
    [
        (0.60, 0.61, "RL's gain is a gain in sampling."),
        (0.60, 0.70, "RL's gain is larger in sampling than in greedy decoding."),
        (0.60, 0.90, "RL gains in sampling and in greedy decoding alike."),
        (0.60, 0.40, "RL's gain is in sampling only."),
        (0.41, 0.62, "RL shows no clear gain in this run."),
    ],
)
def test_the_gain_of_rl_is_told_as_the_numbers_have_it(
    tmp_path: Path, sampled: float, greedy: float, said: str
) -> None:
    made_up_run.write_recipe(tmp_path, {"pipeline": PIPELINE})
    made_up_run.write_generation(tmp_path, "mid", "math", 0.40, greedy=0.60)
    made_up_run.write_generation(tmp_path, "rl", "math", sampled, greedy=greedy)
    cautions = overview(load_results(tmp_path), ()).cautions
    assert any(text.startswith(said) for text in cautions)


def test_real_data_carries_no_note_on_trace_noise(tmp_path: Path) -> None:
    made_up_run.write_recipe(tmp_path, {"data": {"world": None}, "pipeline": PIPELINE})
    assert overview(load_results(tmp_path), ()).cautions == ()


@pytest.mark.parametrize(("tier", "shown"), [("none", True), ("namespaces", False)])
def test_a_run_whose_programs_were_not_contained_says_so(tmp_path: Path, tier: str, shown: bool) -> None:
    made_up_run.write_recipe(tmp_path, {"data": {"world": None}, "pipeline": PIPELINE})
    made_up_run.write_manifest(tmp_path, {"rl": 3.0})
    manifest = read_json(tmp_path / "manifest.json")
    manifest["nodes"]["rl"]["events"] = [{"sandbox": tier}]
    write_json(tmp_path / "manifest.json", manifest)
    cautions = overview(load_results(tmp_path), ()).cautions
    assert any("without a sandbox" in text and "in rl" in text for text in cautions) == shown
