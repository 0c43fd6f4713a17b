"""What Aligner can't do is refused or listed, never done otherwise in silence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prism.errors import RecipeError, UsageError
from prism.nemo.support import check
from prism.recipe import ClusterConfig, load_recipe
from prism.recipe.engines import require_own_engine
from tests.nemo.made import recipe


def missed(folder: Path, *changes: str) -> list[str]:
    return [item.key for item in check(recipe(folder, *changes), "rl")]


@pytest.mark.parametrize("name", ["nemotron_h_8b/math", "granite_4_h_micro/math"])
def test_hybrid_models_are_sent_to_our_own_engine(name: str) -> None:
    loaded = load_recipe(name, ["rl.engine=aligner", "pipeline.rl={stage: rl, from: mid}"])
    with pytest.raises(RecipeError, match="no Mamba or hybrid models") as error:
        check(loaded, "rl")
    assert "rl.engine=prism" in error.value.remedy


@pytest.mark.parametrize("name", ["granite_3_3_8b/math", "granite_4_micro/math"])
def test_models_without_a_converter_are_too(name: str) -> None:
    loaded = load_recipe(name, ["rl.engine=aligner", "pipeline.rl={stage: rl, from: mid}"])
    with pytest.raises(RecipeError, match="no converter"):
        check(loaded, "rl")


@pytest.mark.parametrize("name", ["llama_3_1_8b/math", "mistral_7b/math", "mistral_small_24b/math"])
def test_the_papers_llama_and_mistral_models_are_taken(name: str) -> None:
    check(load_recipe(name, ["rl.engine=aligner", "pipeline.rl={stage: rl, from: mid}"]), "rl")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        (["pipeline.rl.cluster.processes=3", "cluster.devices_per_node=2"], "cluster.processes"),
        (["model.tie_embeddings=true"], "model.tie_embeddings"),
        (["rl.engine=prism"], "rl.engine"),
    ],
)
def test_what_a_job_cannot_be_is_refused(tmp_path: Path, changes: list[str], place: str) -> None:
    with pytest.raises((RecipeError, UsageError)) as error:
        check(recipe(tmp_path, *changes), "rl")
    assert error.value.place == place


@pytest.mark.parametrize("key", ["context_parallel", "virtual_pipeline"])
def test_layouts_that_aligner_has_not_are_refused(tmp_path: Path, key: str) -> None:
    cluster = ClusterConfig.model_validate({"processes": 2, key: 2})
    with pytest.raises(RecipeError, match=f"no {key}"):
        check(recipe(tmp_path).model_copy(update={"cluster": cluster}), "rl")


def test_the_papers_settings_that_aligner_cannot_honour_are_listed(tmp_path: Path) -> None:
    found = missed(tmp_path, "rl.packing_tokens=64", "rl.refill_rounds=2", "rl.trajectory.steps=[1]")
    for key in ("importance_cap", "token_normalisation", "clip_low", "clip_high", "reference_update", "kl_estimator"):
        assert key in found
    for key in ("packing_tokens", "refill_rounds", "trajectory"):
        assert key in found


def test_what_a_recipe_gives_up_is_no_longer_listed(tmp_path: Path) -> None:
    changes = [
        "rl.importance_cap=null",
        "rl.reference_update=0",
        "rl.kl_coefficient=0",
        "rl.samples_kept=0",
        "rl.precision=bf16",
    ]
    changes += ["rl.token_normalisation=response", "rl.micro_batch_size=1"]
    assert missed(tmp_path, *changes) == ["clip_low", "clip_high", "advantage_epsilon"]


@pytest.mark.parametrize("key", ["importance_cap", "clip_low"])
def test_a_required_key_that_cannot_be_honoured_refuses_the_job(tmp_path: Path, key: str) -> None:
    with pytest.raises(RecipeError, match=f"can't honour rl.{key}"):
        missed(tmp_path, f"rl.aligner.require=[steps,{key}]")


def test_a_section_is_required_with_all_of_its_keys(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"rl.schedule.kind = exponential"):
        missed(tmp_path, "rl.schedule.kind=exponential", "rl.aligner.require=[schedule]")


def test_required_keys_that_are_honoured_are_no_reason_to_refuse(tmp_path: Path) -> None:
    missed(tmp_path, "rl.aligner.require=[temperature,optimizer.learning_rate,schedule]")


def test_a_required_key_must_be_one_of_rl(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no key importance_kap") as error:
        missed(tmp_path, "rl.aligner.require=[importance_kap]")
    assert "importance_cap" in error.value.remedy


def test_a_run_that_meets_the_engine_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="NeMo-Aligner job") as error:
        require_own_engine(recipe(tmp_path), "rl")
    assert "prism rl aligner" in error.value.remedy
    require_own_engine(recipe(tmp_path, "rl.engine=prism"), "rl")


def test_a_job_is_planned_where_neither_torch_nor_numpy_nor_an_engine_is() -> None:
    """As in NeMo's environment, and in the base install."""
    absent = ("torch", "megatron", "numpy", "tokenizers", "datatrove")
    code = f"import sys; sys.modules.update(dict.fromkeys({absent}))\n"
    code += "import prism.nemo.job, prism.nemo.support, prism.nemo.overrides, prism.nemo.prompts, prism.recipe.engines"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)
