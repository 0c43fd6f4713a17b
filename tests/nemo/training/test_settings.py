"""NeMo's settings follow from the recipe. That NeMo has these paths is asserted in its own environment."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from prism.nemo.training.settings import nemo_settings
from prism.nemo.training.values import Made, Named, NemoSettings, python_source
from tests.nemo.training.made import MODELS, PLACES, recipe


def settings(model: str = "llama_3_1_8b", *changes: str) -> NemoSettings:
    return nemo_settings(recipe(model, *changes), "mid", PLACES)


def values(model: str = "llama_3_1_8b", *changes: str) -> dict[str, Any]:
    return {one.path: one.value for one in settings(model, *changes).settings}


@pytest.mark.parametrize(
    ("model", "recipe_name"),
    [
        ("nemotron_h_8b", "nemotronh_8b"),
        ("llama_3_1_8b", "llama31_8b"),
        ("mistral_7b", "mistral_7b"),
        ("mistral_small_24b", "mistral_small3_24b"),
    ],
)
def test_each_model_has_its_recipe(model: str, recipe_name: str) -> None:
    assert settings(model).recipe == recipe_name


def test_no_path_is_set_twice() -> None:
    for model in MODELS:
        paths = [one.path for one in settings(model).settings]
        assert len(paths) == len(set(paths))


def test_nodes_and_devices_are_the_clusters() -> None:
    found = values("llama_3_1_8b", "pipeline.mid.cluster.processes=16", "pipeline.mid.cluster.devices_per_node=4")
    assert found["trainer.num_nodes"] == 4 and found["trainer.devices"] == 4
    small = values("llama_3_1_8b", "pipeline.mid.cluster.processes=4")
    assert small["trainer.num_nodes"] == 1 and small["trainer.devices"] == 4


def test_layout_optimizer_and_schedule_are_the_recipes() -> None:
    found = values(
        "llama_3_1_8b",
        "pipeline.mid.cluster.pipeline_parallel=4",
        "pipeline.mid.cluster.virtual_pipeline=2",
        "pipeline.mid.cluster.context_parallel=2",
        "pipeline.mid.cluster.sequence_parallel=true",
        "midtrain.optimizer.learning_rate=0.001",
        "midtrain.schedule={kind: linear, warmup_steps: 7, final_fraction: 0.25}",
        "midtrain.steps=99",
    )
    strategy = "trainer.strategy"
    assert found[f"{strategy}.tensor_model_parallel_size"] == 4
    assert found[f"{strategy}.pipeline_model_parallel_size"] == 4
    assert found[f"{strategy}.virtual_pipeline_model_parallel_size"] == 2
    assert found[f"{strategy}.pipeline_dtype"] == Named("torch.bfloat16")
    assert found[f"{strategy}.context_parallel_size"] == 2
    assert found[f"{strategy}.sequence_parallel"] is True
    assert found["optim.config.lr"] == 0.001
    schedule = found["optim.lr_scheduler"]
    assert schedule.name.endswith("WarmupAnnealingScheduler")
    assert schedule.arguments == {"warmup_steps": 7, "max_steps": 99, "min_lr": 0.00025}


def test_a_window_counts_its_own_position_here_and_not_there() -> None:
    assert values("mistral_7b")["model.config.window_size"] == [4095, 0]
    assert values("mistral_small_24b")["model.config.window_size"] is None


@pytest.mark.parametrize(
    ("precision", "plugin"),
    [("bf16", "bf16_mixed"), ("fp8", "bf16_with_fp8_mixed"), ("fp32", "MegatronMixedPrecision")],
)
def test_precision_has_its_plugin(precision: str, plugin: str) -> None:
    found = values("llama_3_1_8b", f"midtrain.precision={precision}")["trainer.plugins"]
    assert isinstance(found, Named | Made) and found.name.endswith(plugin)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["pipeline.mid.cluster.recompute=none"], [None, None, None, None]),
        (["pipeline.mid.cluster.recompute=selective"], ["selective", ["mlp"], None, None]),
        (["pipeline.mid.cluster.recompute=full"], ["full", None, "uniform", 1]),
        (
            ["pipeline.mid.cluster.recompute=full", "pipeline.mid.cluster.recompute_layers=3"],
            ["full", None, "block", 3],
        ),
    ],
)
def test_recomputation_is_megatron_cores(changes: list[str], expected: list[Any]) -> None:
    found = values("llama_3_1_8b", *changes)
    assert [
        found.get(f"model.config.recompute_{key}") for key in ("granularity", "modules", "method", "num_layers")
    ] == (expected)


def test_weights_and_prefixes_come_in_turn() -> None:
    found = values()["data"].arguments["paths"]
    assert found == ["75.5", "/run/data/sources/a", "24.5", "/run/data/sources/b"]


def test_the_plain_form_is_json_and_the_program_parses() -> None:
    for model in MODELS:
        found = settings(model, "pipeline.mid.cluster.pipeline_parallel=2")
        assert json.loads(json.dumps(found.plain())) == found.plain()
        ast.parse(python_source(found))
