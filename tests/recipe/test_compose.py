"""Composition: fragments, overrides, interpolation, and where each key was set."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from prism.errors import RecipeError
from prism.recipe.compose import compose, dump, find, packaged

Write = Callable[..., Path]


def test_a_later_fragment_wins_and_the_file_itself_wins_over_its_fragments(write: Write) -> None:
    write("run: {seed: 1, workers: 1, threads: 1}", name="first.yaml")
    write("run: {seed: 2, workers: 2}", name="second.yaml")
    recipe = write("extends: [first.yaml, second.yaml]", "run: {seed: 3}")
    assert compose(recipe).values == {"run": {"seed": 3, "workers": 2, "threads": 1}}


def test_extends_may_be_one_name_and_goes_on_through_fragments(write: Write) -> None:
    write("run: {threads: 4}", name="parts/deep.yaml")
    write("extends: deep.yaml", "run: {workers: 3}", name="parts/middle.yaml")
    recipe = write("extends: parts/middle.yaml", "run: {seed: 2}")
    assert compose(recipe).values == {"run": {"threads": 4, "workers": 3, "seed": 2}}


def test_a_fragment_is_found_beside_the_file_before_the_packaged_one(write: Write) -> None:
    write("model: {num_layers: 1}", name="models/miniature_dense.yaml")
    recipe = write("extends: models/miniature_dense.yaml")
    assert compose(recipe).values == {"model": {"num_layers": 1}}


def test_two_fragments_may_extend_the_same_one(write: Write) -> None:
    write("run: {threads: 4}", name="common.yaml")
    write("extends: common.yaml", "run: {workers: 2}", name="left.yaml")
    write("extends: common.yaml", "run: {seed: 5}", name="right.yaml")
    recipe = write("extends: [left.yaml, right.yaml]")
    assert compose(recipe).values == {"run": {"threads": 4, "workers": 2, "seed": 5}}


def test_files_that_extend_each_other_in_a_circle_are_refused(write: Write) -> None:
    recipe = write("extends: other.yaml")
    write("extends: mine.yaml", name="other.yaml")
    with pytest.raises(RecipeError, match="extends itself"):
        compose(recipe)


def test_a_fragment_that_is_nowhere_is_refused_with_the_line_that_names_it(write: Write) -> None:
    recipe = write("run: {seed: 1}", "extends: nowhere.yaml")
    with pytest.raises(RecipeError, match=r"mine\.yaml:2: extends nowhere\.yaml"):
        compose(recipe)


def test_a_mix_is_taken_whole_so_that_no_share_of_the_old_one_stays(write: Write) -> None:
    write("rl: {mix: {math: 50, code: 50}, steps: 3}", name="base.yaml")
    recipe = write("extends: base.yaml", "rl: {mix: {science: 100}}")
    assert compose(recipe).values == {"rl": {"mix": {"science": 100}, "steps": 3}}


def test_null_stays_a_value_so_that_a_model_can_say_it_has_no_position_embedding() -> None:
    assert compose("miniature_hybrid").values["model"]["rope_base"] is None


def test_overrides_are_yaml_and_the_last_one_wins(write: Write) -> None:
    recipe = write("run: {seed: 1}")
    overrides = ["run.seed=2", "run.seed=7", "run.name=abc", "run.flag=true", "run.list=[1, a]", "run.none=null"]
    values = compose(recipe, overrides).values
    assert values == {"run": {"seed": 7, "name": "abc", "flag": True, "list": [1, "a"], "none": None}}


def test_an_override_may_hold_equals_signs_after_the_first(write: Write) -> None:
    assert compose(write("run: {}"), ["run.name=a=b"]).values == {"run": {"name": "a=b"}}


@pytest.mark.parametrize("override", ["", "=", "run", "run.seed", "=3", ".=3", "run.=3", ".run=3", "run..seed=3"])
def test_an_override_that_is_not_key_equals_value_is_refused(write: Write, override: str) -> None:
    with pytest.raises(RecipeError, match="--set takes key=value"):
        compose(write("run: {seed: 1}"), [override])


KEYS = st.lists(st.from_regex(r"[a-z][a-z_0-9]{0,7}", fullmatch=True), min_size=1, max_size=5)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.from_regex(r"[A-Za-z_ ./:-]{0,12}", fullmatch=True),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "empty.yaml"
    path.write_text("{}\n")
    return path


@settings(deadline=None)
@given(keys=KEYS, value=VALUES)
def test_any_value_survives_an_override_with_its_type(empty: Path, keys: list[str], value: object) -> None:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    composed = compose(empty, [f"{'.'.join(keys)}={text}"])
    found: object = composed.values
    for key in keys:
        assert isinstance(found, dict)
        found = found[key]
    assert found == value
    assert type(found) is type(value)
    assert composed.place_of(keys) == f"--set {'.'.join(keys)}"


@settings(deadline=None)
@given(text=st.text(alphabet="abc.=:{}[]$,-#!|>'\"%@`? \n\t", max_size=24))
def test_no_override_of_punctuation_ends_in_anything_but_a_recipe_or_a_recipe_error(empty: Path, text: str) -> None:
    try:
        composed = compose(empty, [text])
    except RecipeError:
        return
    assert composed.values


def test_an_override_with_an_impossible_date_stays_text() -> None:
    assert compose("miniature", ["run.name=2024-13-45"]).values["run"]["name"] == "2024-13-45"


def test_one_key_may_follow_another_and_an_override_reaches_both(write: Write) -> None:
    recipe = write("run: {seed: 1}", "data: {world: {seed: '${run.seed}'}}")
    assert compose(recipe, ["run.seed=9"]).values["data"] == {"world": {"seed": 9}}


def test_an_environment_variable_may_be_named_with_a_default(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write("path: '${oc.env:RECIPE_TEST_DATA,elsewhere}/a.jsonl'")
    monkeypatch.delenv("RECIPE_TEST_DATA", raising=False)
    assert compose(recipe).values == {"path": "elsewhere/a.jsonl"}
    monkeypatch.setenv("RECIPE_TEST_DATA", "here")
    assert compose(recipe).values == {"path": "here/a.jsonl"}


def test_the_standard_library_of_the_running_python_can_be_named(write: Write) -> None:
    composed = compose(write("path: '${python_stdlib:}'"))
    assert composed.values == {"path": sysconfig.get_paths()["stdlib"]}
    assert (Path(composed.values["path"]) / "json" / "decoder.py").is_file()


@pytest.mark.parametrize("value", ["${nowhere.key}", "${oc.env:RECIPE_TEST_UNSET}", "${unknown_resolver:}", "${"])
def test_a_reference_that_leads_nowhere_is_refused_with_its_line(
    write: Write, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.delenv("RECIPE_TEST_UNSET", raising=False)
    recipe = write("run:", "  seed: 1", f"  name: '{value}'")
    with pytest.raises(RecipeError, match=r"mine\.yaml:3: .*check the \$\{\.\.\.\} reference"):
        compose(recipe)


def test_the_place_of_a_key_is_the_file_and_line_that_set_it_last(write: Write) -> None:
    fragment = write("run:", "  seed: 1", "  workers: 2", "  threads: 1", name="part.yaml")
    recipe = write("extends: part.yaml", "", "run:", "  workers: 3")
    composed = compose(recipe, ["run.threads=2"])
    assert composed.place_of(("run", "seed")) == f"{fragment}:2"
    assert composed.place_of(("run", "workers")) == f"{recipe}:4"
    assert composed.place_of(("run", "threads")) == "--set run.threads"
    assert composed.place_of(("run", "absent")) == f"{recipe}:3"
    assert composed.place_of(("absent",)) == f"{recipe}:1"


def test_yaml_that_does_not_parse_is_refused_with_its_line(write: Write) -> None:
    with pytest.raises(RecipeError, match=r"mine\.yaml:3: not valid YAML"):
        compose(write("run: {seed: 1}", "model: {", "data: ]"))


@pytest.mark.parametrize("text", ["- a", "word", "3"])
def test_a_recipe_that_is_no_mapping_is_refused(write: Write, text: str) -> None:
    with pytest.raises(RecipeError, match=r"mine\.yaml:1: a recipe is a mapping"):
        compose(write(text))


@pytest.mark.parametrize("content", [b"run: \xff\n", b'run: "a\x01b"\n'], ids=["not UTF-8", "control character"])
def test_a_file_that_is_no_text_is_a_recipe_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"mine\.yaml"):
        compose(path)


def test_an_alias_to_the_section_that_holds_it_is_a_recipe_error(write: Write) -> None:
    with pytest.raises(RecipeError):
        compose(write("run: &a", "  name: *a"))


def test_an_override_that_holds_itself_is_a_recipe_error(write: Write) -> None:
    with pytest.raises(RecipeError, match=r"--set run\.name"):
        compose(write("run: {}"), ["run.name=&a [*a]"])


def test_an_extends_that_is_neither_name_nor_list_is_a_recipe_error(write: Write) -> None:
    with pytest.raises(RecipeError, match=r"mine\.yaml:1"):
        compose(write("extends: 3"))


def test_a_section_that_is_written_twice_is_refused(write: Write) -> None:
    with pytest.raises(RecipeError, match=r"mine\.yaml:2"):
        compose(write("run: {seed: 1}", "run: {workers: 2}"))


def test_a_recipe_is_found_by_packaged_name_and_by_path(write: Write) -> None:
    assert find("miniature").name == "miniature.yaml"
    assert find("miniature.yaml").name == "miniature.yaml"
    mine = write("run: {}")
    assert find(mine) == mine


def test_a_recipe_that_does_not_exist_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(RecipeError, match=r"minature: .*did you mean miniature\?"):
        find("minature")


def test_fragments_are_not_listed_as_recipes() -> None:
    assert {"miniature", "miniature_hybrid"} <= set(packaged())
    assert not [name for name in packaged() if name.startswith(("models/", "mixtures/", "stages/", "clusters/"))]


def test_what_show_prints_reads_back_as_the_same_recipe(write: Write) -> None:
    values = compose("miniature_hybrid", ["run.seed=3"]).values
    assert compose(write(dump(values), name="shown.yaml")).values == values
