import json
from pathlib import Path
from typing import Any

import pytest

from prism.errors import RecipeError
from prism.report import ClaimResult, evaluate_claims, load_results
from tests.report import made_up_run

PIPELINE: dict[str, Any] = {
    "base": {"stage": "pretrain"},
    "mid": {"stage": "midtrain", "from": "base"},
    "rl": {"stage": "rl", "from": "mid"},
    "later": {"stage": "rl", "from": "mid"},
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two domains, three stages evaluated; `later` was not run."""
    for stage, math, code in (("base", 0.0, 0.02), ("mid", 0.2, 0.4), ("rl", 0.5, 0.6)):
        made_up_run.write_generation(tmp_path, stage, "math", math, greedy=math + 0.1)
        made_up_run.write_generation(tmp_path, stage, "code", code, greedy=code + 0.3)
        made_up_run.write_choice(tmp_path, stage, 0.9 if stage == "base" else 0.8)
    made_up_run.write_bits(tmp_path, "base", 3.5, "gsm8k_bits", "math")
    made_up_run.write_bits(tmp_path, "mid", 1.75, "gsm8k_bits", "math")
    made_up_run.write_ruler(tmp_path, "mid", "needle_keys", 256, 0.2)
    made_up_run.write_ruler(tmp_path, "mid", "needle_noise", 256, 0.6)
    made_up_run.write_ruler(tmp_path, "mid", "needle_noise", 64, 1.0)
    made_up_run.write_weights(tmp_path, "base", "mid", 0.3, 2.0, {"attention.q": 0.1, "mlp.up": 0.2, "norm": 0.3})
    made_up_run.write_weights(tmp_path, "mid", "rl", 0.02, 24.0, {"attention.q": 0.3, "mlp.up": 0.5, "norm": 0.7})
    made_up_run.write_cka(tmp_path, "mid", "rl", 0.995)
    return tmp_path


def check(run: Path, **claim: Any) -> ClaimResult:
    tasks = ["miniature_math", "miniature_code", "miniature_facts", "gsm8k_bits"]
    recipe = {"pipeline": PIPELINE, "evaluate": {"tasks": tasks}, "claims": {"one": {"claim": "A sentence.", **claim}}}
    made_up_run.write_recipe(run, recipe)
    return evaluate_claims(load_results(run))[0]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("pass_rate('mid')", 30.0),
        ("pass_rate('mid', 'code')", 40.0),
        ("greedy('mid')", 50.0),
        ("greedy('mid', 'math')", 30.0),
        ("accuracy('mid', 'miniature_facts') - accuracy('base', 'miniature_facts')", -10.0),
        ("bits_per_byte('mid', 'gsm8k_bits') / bits_per_byte('base', 'gsm8k_bits')", 0.5),
        ("ruler('mid', 256)", 40.0),
        ("spread('base', 'mid', 'rl')", 54.0),
        ("relative_l2('base', 'mid') / relative_l2('mid', 'rl')", 15.0),
        ("unchanged('mid', 'rl') - unchanged('base', 'mid')", 22.0),
        ("min_cka('mid', 'rl')", 0.995),
        ("footprint_correlation('base', 'mid', 'mid', 'rl')", 1.0),
    ],
)
def test_an_expression_is_computed_from_the_runs_files(run: Path, expression: str, value: float) -> None:
    assert check(run, value=expression).value == pytest.approx(value)


@pytest.mark.parametrize(
    ("bound", "threshold", "holds"),
    [
        ({"at_least": 30}, ">= 30", True),
        ({"at_most": 29.5}, "<= 29.5", False),
        ({"above": 30}, "> 30", False),
        ({"below": 31}, "< 31", True),
        ({}, None, None),
    ],
)
def test_a_claim_holds_when_its_value_keeps_the_bound(
    run: Path, bound: dict[str, float], threshold: str | None, holds: bool | None
) -> None:
    result = check(run, value="pass_rate('mid')", **bound)
    assert (result.threshold, result.holds) == (threshold, holds)


def test_a_further_condition_that_fails_refutes_the_claim_and_is_named(run: Path) -> None:
    result = check(run, value="pass_rate('mid')", at_least=20, also="pass_rate('mid') > pass_rate('rl')")
    assert result.holds is False
    assert result.reason == "not so: pass_rate('mid') > pass_rate('rl')"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("pass_rate('later')", "later was not evaluated"),
        ("accuracy('later', 'miniature_facts')", "later was not evaluated on miniature_facts"),
        ("relative_l2('mid', 'later')", "the weights of mid and later were not compared"),
        ("min_cka('base', 'mid')", "the representations of base and mid were not compared"),
        ("1 / pass_rate('base', 'math')", "a division by zero"),
        ("footprint_correlation('base', 'mid', 'base', 'later')", "the weights of base and later were not compared"),
    ],
)
def test_a_figure_that_was_not_measured_leaves_the_claim_open(run: Path, expression: str, reason: str) -> None:
    result = check(run, value=expression, at_least=1)
    assert (result.value, result.holds, result.reason) == (None, None, reason)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("pass_rat('mid')", "claims.one.value: unknown function pass_rat. Remedy: did you mean pass_rate?"),
        ("pass_rate('mit')", "claims.one.value: unknown stage mit. Remedy: did you mean mid?"),
        ("pass_rate('mid', 'maths')", "claims.one.value: unknown domain maths. Remedy: did you mean math?"),
        (
            "accuracy('mid', 'miniature_fact')",
            "claims.one.value: unknown task miniature_fact. Remedy: did you mean miniature_facts?",
        ),
        ("pass_rate(mid)", "claims.one.value: unknown name mid. Remedy: quote it if it is a stage: 'mid'"),
    ],
)
def test_an_unknown_name_is_an_error_with_the_nearest_one(run: Path, expression: str, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        check(run, value=expression)
    assert str(error.value) == message
    assert error.value.exit_code == 2


@pytest.mark.parametrize("expression", ["pass_rate('mid'", "__import__('os')", "pass_rate.__class__", "pass_rate()"])
def test_an_expression_can_call_nothing_but_the_figures(run: Path, expression: str) -> None:
    with pytest.raises(RecipeError):
        check(run, value=expression)


def test_the_summary_has_an_entry_a_claim_and_seconds_a_stage(miniature_run: Path) -> None:
    summary = json.loads((miniature_run / "summary.json").read_text())
    assert [claim["name"] for claim in summary["claims"]][:3] == [
        "base_fails",
        "rl_from_base_fails",
        "midtraining_lifts",
    ]
    assert all(claim["holds"] for claim in summary["claims"] if claim["threshold"] is not None)
    assert summary["claims"][-1]["holds"] is None
    assert summary["seconds"]["mid"] == 47
    assert summary["total_seconds"] == pytest.approx(sum(summary["seconds"].values()))
