"""Every direct dependency is pinned and listed with its licence."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENGINE_MUST_NOT_PULL = re.compile(
    r"^(nvidia|triton|cuda|transformer-engine|mamba-ssm|causal-conv1d|apex)", re.IGNORECASE
)


def requirements() -> dict[str, list[str]]:
    """Requirements by extra; those of the base install under `base`."""
    return {"base": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None, requirement
    return found.group()


def listed() -> dict[str, str]:
    """Licence by package, from the tables of docs/licences.md."""
    lines = (ROOT / "docs" / "licences.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {row[0]: row[1] for row in rows if row[0] != "package"}


@pytest.mark.parametrize("extra", requirements())
def test_every_dependency_is_listed_with_its_licence(extra: str) -> None:
    licences = listed()
    missing = [name_of(entry) for entry in requirements()[extra] if not licences.get(name_of(entry))]
    assert missing == [], f"add to docs/licences.md: {missing}"


def test_nothing_is_listed_that_is_no_longer_required() -> None:
    required = {name_of(entry) for entries in requirements().values() for entry in entries}
    assert set(listed()) - required == set()


@pytest.mark.parametrize("extra", requirements())
def test_every_dependency_is_pinned_exactly(extra: str) -> None:
    loose = [entry for entry in requirements()[extra] if not re.search(r"==[0-9][^,*]*$", entry)]
    assert loose == []


@pytest.mark.parametrize("extra", ["base", "engine", "data", "serve", "dev"])
def test_no_default_extra_asks_for_a_cuda_package(extra: str) -> None:
    assert [entry for entry in requirements()[extra] if ENGINE_MUST_NOT_PULL.match(entry)] == []


def test_the_base_install_has_neither_torch_nor_datatrove() -> None:
    names = {name_of(entry) for entry in requirements()["base"]}
    assert names.isdisjoint({"torch", "megatron-core", "datatrove", "numpy"})


def test_a_package_has_the_same_version_in_every_extra() -> None:
    versions: dict[str, set[str]] = {}
    for entries in requirements().values():
        for entry in entries:
            versions.setdefault(name_of(entry), set()).add(entry.partition("==")[2])
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    "lock", sorted((ROOT / "containers").rglob("requirements.lock")), ids=lambda path: path.parent.name
)
def test_a_lock_file_holds_only_exact_versions_of_packages(lock: Path) -> None:
    wrong = [
        line for line in lock.read_text().splitlines() if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._!]+", line)
    ]
    assert wrong == []


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "Version 2.0, January 2004" in text
    assert PROJECT["license"] == "Apache-2.0"
