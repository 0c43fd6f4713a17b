"""Recipe files become the current version as text, and say what the migration says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from prism.errors import RecipeError
from prism.recipe import load_recipe
from prism.recipe.compose import compose
from prism.recipe.rewrite import rewritten
from prism.recipe.versions import RECIPE_MOVES, current_recipe

OLD = {
    "rl.placement.gpu_memory_gib": 70.0,
    "rl.aligner.devices_per_node": 4,
    "rl.aligner.partition": "gpu",
    "rl.aligner.account": "us",
    "rl.aligner.mounts": ["/a:/a", "/b:/b"],
}

WHOLE = """\
# my run
schema_version: 1
extends: [llama_3_1_8b/math.yaml]

rl:
  # memory of
  # an H100
  placement:  # where
    gpu_memory_gib: 70.0   # a bit less
  engine: aligner
  aligner:
    # the big one
    partition: gpu   # ours
    account: ${rl.aligner.partition}
    mounts:
      - /a:/a   # first
      - "/b: b"
    time_limit_minutes: 300  # minutes

# devices
cluster: {processes: 8}

pipeline:
  rl: {stage: rl, with: {aligner: {devices_per_node: 4}, steps: 3}}
  other:
    stage: rl
    with:
      # two
      placement: {gpu_memory_gib: 60, mode: colocated}
# end"""


def comments(text: str) -> list[str]:
    return sorted(line.partition("#")[2].strip() for line in text.splitlines() if "#" in line)


def test_comments_survive_and_other_lines_are_untouched() -> None:
    after = rewritten(WHOLE, "here")
    assert comments(after) == comments(WHOLE)
    kept = {"extends: [llama_3_1_8b/math.yaml]", "  engine: aligner", "    time_limit_minutes: 300  # minutes", "# end"}
    assert kept <= set(after.splitlines())
    said = yaml.safe_load(after)
    assert said["cluster"]["slurm"] == {
        "partition": "gpu",
        "account": "${cluster.slurm.partition}",
        "mounts": ["/a:/a", "/b: b"],
    }
    assert said["pipeline"]["rl"] == {"stage": "rl", "with": {"steps": 3}, "cluster": {"devices_per_node": 4}}


def test_what_is_current_stays_byte_for_byte() -> None:
    after = rewritten(WHOLE, "here")
    assert rewritten(after, "here") == after
    assert rewritten("model: {num_layers: 2}  # a fragment", "here") == "model: {num_layers: 2}  # a fragment"


@pytest.mark.parametrize("within", ["section", "stage"])
@pytest.mark.parametrize("key", OLD)
def test_an_old_recipe_loads_as_its_rewritten_file_does(tmp_path: Path, key: str, within: str) -> None:
    name = key if within == "section" else f"pipeline.rl.with.{key.removeprefix('rl.')}"
    values: Any = OLD[key]
    for part in reversed(name.split(".")):
        values = {part: values}
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("schema_version: 1\nextends: llama_3_1_8b/math.yaml\n" + yaml.safe_dump(values))
    new.write_text(rewritten(old.read_text(), str(old)))
    assert key.split(".")[-1] not in yaml.safe_load(new.read_text()).get("rl", {})
    assert load_recipe(old) == load_recipe(new) != load_recipe("llama_3_1_8b/math")
    cluster = load_recipe(new).cluster_config("rl")
    assert OLD[key] in (*cluster.model_dump().values(), *cluster.slurm.model_dump().values())


def test_a_file_that_cannot_be_edited_is_refused_rather_than_spoiled() -> None:
    shared = "schema_version: 1\nmidtrain: &x {steps: 3}\nrl:\n  aligner: &y\n    partition: gpu\nother: *y\n"
    with pytest.raises(RecipeError, match=r"here: its moved keys can't be rewritten in place.*prism recipes show"):
        rewritten(shared, "here")


_LEAVES = st.sampled_from([1, "gpu", None, ["/a:/b"], [], "${rl.aligner.account}", "a # b", "it's: {so}"])
_KEYS = st.sampled_from([key.split(".")[-1] for key in OLD] + ["steps", "slurm"])
_SECTION = st.dictionaries(_KEYS, _LEAVES, max_size=3)
_FILES = st.fixed_dictionaries(
    {"schema_version": st.just(1)},
    optional={
        "rl": st.fixed_dictionaries({}, optional={"aligner": _SECTION, "placement": _SECTION, "steps": st.just(3)}),
        "cluster": st.fixed_dictionaries({}, optional={"processes": st.just(3)}),
        "pipeline": st.dictionaries(
            st.sampled_from(["rl", "other"]),
            st.fixed_dictionaries(
                {"stage": st.just("rl")}, optional={"with": st.fixed_dictionaries({"aligner": _SECTION})}
            ),
            max_size=2,
        ),
    },
)


@settings(deadline=None)
@given(_FILES, st.sampled_from([True, False, None]))
def test_however_a_file_is_laid_out_it_says_what_the_migration_says(values: dict[str, Any], style: bool | None) -> None:
    text = yaml.safe_dump(json.loads(json.dumps(values)), default_flow_style=style, sort_keys=False)  # without aliases
    assert yaml.safe_load(rewritten(text, "here")) == current_recipe(values, "here")


def test_an_override_of_an_old_key_sets_the_new_one(tmp_path: Path) -> None:
    found = compose("miniature", ["rl.placement.gpu_memory_gib=60", "pipeline.rl.with.aligner.partition=gpu"])
    assert found.values["cluster"]["device_memory_gib"] == 60
    assert found.values["pipeline"]["rl"]["cluster"] == {"slurm": {"partition": "gpu"}}
    assert found.place_of(("cluster", "device_memory_gib")) == "--set rl.placement.gpu_memory_gib"


def test_every_move_is_to_a_key_that_the_schema_has() -> None:
    from prism.recipe.fields import fields_at
    from prism.recipe.recipe import Recipe

    for move in RECIPE_MOVES[1]:
        if "*" not in move.new:
            *section, key = move.new.split(".")
            assert key in fields_at(Recipe, section)
