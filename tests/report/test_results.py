import json
from pathlib import Path

import pytest

from prism.errors import BadInput
from prism.report import load_results, write_report
from tests.report import made_up_run


def recipe_only(run: Path) -> Path:
    pipeline = {"base": {"stage": "pretrain"}, "mid": {"stage": "midtrain", "from": "base"}}
    made_up_run.write_recipe(run, {"run": {"name": "half", "seed": 7}, "pipeline": pipeline})
    return run


def test_parts_that_were_not_run_are_absent(tmp_path: Path) -> None:
    results = load_results(recipe_only(tmp_path))
    assert list(results.stages) == ["base", "mid"]
    assert results.stages["mid"].training == ()
    assert not (results.weights or results.cka or results.blends or results.seconds())


def test_a_stage_that_extends_has_the_blend_of_its_own_section(tmp_path: Path) -> None:
    pipeline = {
        "mid": {"stage": "midtrain"},
        "long": {"stage": "extend", "from": "mid"},
        "own": {"stage": "extend", "from": "mid", "with": {"blend": "codes"}},
    }
    sections = {"midtrain": {"blend": "math"}, "long_context": {"extend": {"blend": "long"}}}
    made_up_run.write_recipe(tmp_path, {"pipeline": pipeline, **sections})
    stages = load_results(tmp_path).stages
    assert {name: stage.blend for name, stage in stages.items()} == {"mid": "math", "long": "long", "own": "codes"}


def test_the_main_chain_leads_to_the_first_rl_stage(miniature_run: Path) -> None:
    assert load_results(miniature_run).main_chain() == ("base", "mid", "rl")


@pytest.mark.parametrize(
    "path",
    [
        "manifest.json",
        "stages/mid/metrics.jsonl",
        "stages/mid/evaluate/miniature_math.json",
        "analysis/weights/base__mid.json",
        "analysis/cka/base__mid.json",
        "data/blends/base.lock.json",
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, path: str) -> None:
    damaged = recipe_only(tmp_path) / path
    damaged.parent.mkdir(parents=True, exist_ok=True)
    damaged.write_text('{"schema_version": 1, "task": \n')
    with pytest.raises(BadInput, match=str(damaged)) as error:
        load_results(tmp_path)
    assert error.value.exit_code == 4


def test_results_of_the_harness_are_read_and_its_samples_are_left_alone(tmp_path: Path) -> None:
    folder = recipe_only(tmp_path) / "stages" / "mid" / "evaluate"
    folder.mkdir(parents=True)
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "stderr": 0.05}
    task = {"task": "general_mmlu", "kind": "harness", "domain": "general", "prompts": 9, "metrics": {"acc": figure}}
    (folder / "general_mmlu.json").write_text(json.dumps({**task, "harness": "lm-eval 0.4.13", "tasks": {}}))
    (folder / "general_mmlu.samples.jsonl").write_text('{"id": "mmlu:1:none", "metrics": {"acc": 1.0}}\n')
    mid = load_results(tmp_path).stages["mid"]
    assert mid.tasks["general_mmlu"].metrics["acc"].value == 0.5 and not mid.samples
    write_report(tmp_path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    recipe_only(tmp_path)
    file = tmp_path / "stages/mid/metrics.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text('{"step": 1, "tokens": 1024, "loss": 2.0}\n{"step": 2, "tokens": 2048}\n')
    with pytest.raises(BadInput, match=r"metrics\.jsonl:2: loss: field required"):
        load_results(tmp_path)


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    recipe_only(tmp_path)
    file = tmp_path / "stages/mid/metrics.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text('{"step": 1, "tokens": 1024, "loss": 2.0}\n{"step": 2, "tok')
    assert len(load_results(tmp_path).stages["mid"].training) == 1


def test_another_releases_file_is_refused(tmp_path: Path) -> None:
    recipe_only(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema_version": 9, "nodes": {}}')
    with pytest.raises(BadInput, match="schema_version 9, this release reads 1"):
        load_results(tmp_path)


def test_a_directory_without_recipe_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"recipe\.yaml: the file is missing"):
        load_results(tmp_path)
