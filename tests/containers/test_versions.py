"""containers/versions.yaml is the one home of versions: Dockerfiles, docs, extras and lock files say the same."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest

from containers import render
from prism.recipe.schema.aligner import AlignerConfig
from prism.recipe.schema.nemo import NemoConfig

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSIONS = render.read()
PINS = {
    f"{image}.{name}": (described, pin)
    for image, described in VERSIONS.images.items()
    for name, pin in described.pins.items()
}


def pinned(requirements: list[str]) -> dict[str, str]:
    """Versions by package, with extras and case taken off."""
    found = [re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(.*)", line) for line in requirements]
    return {match[1].lower().replace("_", "-"): match[2] for match in found if match}


@pytest.mark.parametrize("image", VERSIONS.images)
def test_a_dockerfile_has_the_versions_as_defaults(image: str) -> None:
    described = VERSIONS.images[image]
    assert (ROOT / described.dockerfile).read_text() == render.dockerfile(described), "run `make images-render`"


@pytest.mark.parametrize("image", VERSIONS.images)
def test_every_default_that_is_a_version_is_in_the_one_home(image: str) -> None:
    described = VERSIONS.images[image]
    defaults = set(re.findall(r"^ARG (\w+)=", (ROOT / described.dockerfile).read_text(), re.MULTILINE))
    named = {pin.arg for pin in described.pins.values()}
    assert defaults - named <= {"REVISION", "MAX_JOBS"}


@pytest.mark.parametrize("image", VERSIONS.images)
def test_no_image_is_built_on_one_that_has_no_version(image: str) -> None:
    text = (ROOT / VERSIONS.images[image].dockerfile).read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    stages = re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE)
    assert [base for base in bases if base not in stages and "${" not in base] == []
    assert [pin.version for pin in VERSIONS.images[image].pins.values() if pin.version.endswith(":latest")] == []


def test_the_page_has_the_tables_of_the_one_home() -> None:
    assert render.PAGE.read_text() == render.page(VERSIONS), "run `make images-render`"


@pytest.mark.parametrize("place", [place for place, (_, pin) in PINS.items() if pin.pyproject])
def test_an_extra_pins_the_same_version(place: str) -> None:
    pin, package = PINS[place][1], place.partition(".")[2].replace("_", "-")
    assert pin.pyproject is not None
    for extra in [None] if pin.pyproject == "base" else pin.pyproject:
        requirements = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
        assert pinned(requirements)[package] == pin.version, extra


@pytest.mark.parametrize("place", [place for place, (_, pin) in PINS.items() if pin.lock])
def test_a_lock_file_pins_the_same_version(place: str) -> None:
    described, pin = PINS[place]
    lock = (ROOT / described.dockerfile).with_name("requirements.lock").read_text().splitlines()
    package = pin.lock if isinstance(pin.lock, str) else place.partition(".")[2].replace("_", "-")
    assert pinned(lock)[package] == pin.version


@pytest.mark.parametrize("image", ["cpu", "train"])
def test_a_lock_file_has_every_package_of_the_extras_that_go_in(image: str) -> None:
    lock = pinned((ROOT / "containers" / image / "requirements.lock").read_text().splitlines())
    extras = ["engine", "data", "serve", *(["tracking"] if image == "train" else [])]
    wanted = pinned(
        [*PROJECT["dependencies"], *(line for name in extras for line in PROJECT["optional-dependencies"][name])]
    )
    if image == "cpu":
        del wanted["torch"]  # of another index
    assert {name: lock.get(name) for name in wanted} == wanted


def test_nothing_of_cuda_is_in_the_lock_of_the_cpu_image() -> None:
    lock = pinned((ROOT / "containers" / "cpu" / "requirements.lock").read_text().splitlines())
    assert [name for name in lock if re.match("nvidia|cuda|triton|torch", name)] == []


@pytest.mark.parametrize("agreement", VERSIONS.agree, ids=lambda agreement: agreement.pins[0])
def test_versions_that_have_to_agree_do(agreement: render.Agreement) -> None:
    assert len({VERSIONS.pin(place).version for place in agreement.pins}) == 1


@pytest.mark.parametrize("difference", VERSIONS.differ, ids=lambda difference: difference.pins[0])
def test_versions_that_are_said_to_differ_do(difference: render.Difference) -> None:
    assert len({VERSIONS.pin(place).version for place in difference.pins}) > 1


def test_where_two_images_have_different_versions_it_is_said_what_follows() -> None:
    said = [{place.partition(".")[0] for place in difference.pins} for difference in VERSIONS.differ]
    unsaid = [
        (one, other)
        for one, other in itertools.combinations(PINS, 2)
        if one.partition(".")[2] == other.partition(".")[2] in VERSIONS.matrix
        and one.partition(".")[2] != "base"
        and VERSIONS.pin(one).version != VERSIONS.pin(other).version
        and not any({one.partition(".")[0], other.partition(".")[0]} <= images for images in said)
    ]
    assert unsaid == []


def test_a_version_that_no_argument_is_written_to_is_refused() -> None:
    described = VERSIONS.images["cpu"]
    pins = {**described.pins, "torch": described.pins["torch"].model_copy(update={"arg": "TORCH"})}
    with pytest.raises(
        ValueError, match=r"containers/cpu/Dockerfile: no line ARG TORCH=\.\.\., which the pin torch names"
    ):
        render.dockerfile(described.model_copy(update={"pins": pins}))


def test_recipes_ask_for_the_images_by_their_tags() -> None:
    aligner = AlignerConfig()
    assert aligner.container == VERSIONS.images["aligner"].tag
    assert aligner.rewards.container == VERSIONS.images["rewards"].tag
    assert NemoConfig().container == VERSIONS.images["nemo"].tag
    assert VERSIONS.images["nemo"].tag.partition(":")[2] == VERSIONS.pin("nemo.base").version.partition(":")[2]


def test_commands_build_every_image_from_the_root() -> None:
    lines = render.commands(VERSIONS, [], "docker")
    assert lines[0] == "docker build -t prism-cpu -f containers/cpu/Dockerfile ."
    assert len(lines) == len(list((ROOT / "containers").glob("*/Dockerfile")))
    assert render.commands(VERSIONS, ["rewards"], "podman") == [
        "podman build -t prism-rewards:0.7.0 -f containers/rewards/Dockerfile ."
    ]
