"""The paper's recipes say what the paper says, and its models have their published size."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from prism.megatron.backend import install
from prism.pipeline.sizes import parameter_count
from prism.plan.stages import model_parameters, vocabulary
from prism.recipe import load_recipe
from prism.recipe.compose import FRAGMENTS, RECIPES, packaged

PARAMETERS = {
    "llama_3_1_8b": 8_030_261_248,
    "nemotron_h_8b": 8_100_852_736,
    "mistral_small_24b": 23_572_403_200,
    "mistral_7b": 7_241_732_096,
    "granite_3_3_8b": 8_170_835_968,
    "granite_4_micro": 3_402_836_480,
    "granite_4_h_micro": 3_191_396_096,
}
DOMAINS = {  # percent, sums of Figure 2's columns
    "math": {"math": 75, "general": 15, "chat": 10},
    "math_code": {"math": 47.5, "code": 42.5, "general": 5, "chat": 5},
    "math_code_science": {"math": 37, "code": 40.5, "science": 12.5, "general": 5, "chat": 5},
}
PAPER = [name for name in packaged() if name.partition("/")[2] in DOMAINS]


@pytest.mark.parametrize("name", packaged())
def test_every_packaged_recipe_is_valid(name: str) -> None:
    load_recipe(name)


@pytest.mark.parametrize("model", PARAMETERS)
def test_a_model_has_as_many_parameters_as_published(model: str) -> None:
    install()
    recipe = load_recipe(f"{model}/math")
    assert model_parameters(recipe, vocabulary(recipe)) == parameter_count(recipe.model) == PARAMETERS[model]


@pytest.mark.parametrize("mixture", DOMAINS)
def test_a_mixture_has_the_papers_share_of_each_domain(mixture: str) -> None:
    data = load_recipe(f"llama_3_1_8b/{mixture}").data
    shares: dict[str, float] = {}
    for source, weight in data.blends[mixture].items():
        domain = data.sources[source].domain
        shares[domain] = shares.get(domain, 0) + weight
    assert shares == pytest.approx(DOMAINS[mixture])


@pytest.mark.parametrize("name", PAPER)
def test_a_recipe_of_the_paper_trains_on_26_billion_tokens_of_the_blend_it_is_named_for(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.midtrain.tokens == 25_000 * 128 * 8_192
    assert recipe.midtrain.blend == name.partition("/")[2]
    assert recipe.run.name == name.replace("/", "_")


@pytest.mark.parametrize("name", PAPER)
def test_every_source_of_the_paper_has_tokens_hub_and_licence(name: str) -> None:
    for source, card in load_recipe(name).data.sources.items():
        assert card.tokens_billion and card.hub and card.licence != "unknown", source


@pytest.mark.parametrize("name", PAPER)
def test_the_global_batch_is_a_multiple_of_what_the_cluster_does_at_once(name: str) -> None:
    recipe = load_recipe(name)
    cluster = recipe.cluster
    replicas = cluster.processes // (cluster.tensor_parallel * cluster.pipeline_parallel)
    assert recipe.midtrain.global_batch_size % (recipe.midtrain.micro_batch_size * replicas) == 0


def test_long_context_is_restored_as_in_the_paper() -> None:
    recipe = load_recipe("granite_3_3_8b/long_context")
    config = recipe.training_config("long")
    assert recipe.merge_config("merged").base_weight == 0.15
    assert (config.sequence_length, config.steps, config.optimizer.learning_rate) == (131_072, 1_000, 5e-5)
    assert config.packing == "best_fit" and config.documents_apart
    assert recipe.cluster_config("long").context_parallel == 4


@pytest.mark.parametrize(
    "fragment",
    sorted(path for folder in FRAGMENTS for path in (RECIPES / folder).glob("*.yaml")),
    ids=lambda path: path.stem,
)
def test_every_fragment_is_valid(fragment: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    model = [] if fragment.parent.name == "models" else ["models/llama_3_1_8b.yaml"]
    recipe.write_text(yaml.safe_dump({"extends": [*model, str(fragment)]}))
    load_recipe(recipe)
