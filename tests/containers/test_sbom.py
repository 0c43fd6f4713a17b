"""The bill of materials of a real environment, this one: valid, complete, with licences, whole or not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.containers.bill import problems

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "containers" / "sbom.py"

pytestmark = pytest.mark.xdist_group("sbom")  # one process makes what its tests share


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of this environment and, where this is a Debian, of its packages."""
    out = tmp_path_factory.mktemp("bill") / "sbom.cdx.json"
    system = ["--system"] if Path("/usr/bin/dpkg-query").exists() else []
    command = [sys.executable, SCRIPT, sys.executable, out, *system]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in out.parent.iterdir()] == ["sbom.cdx.json"]
    read: dict[str, Any] = json.loads(out.read_text())
    return read


def named(bill: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Components by normalised name, of one kind of package (pypi, deb)."""
    return {
        component["name"].lower().replace("_", "-").replace(".", "-"): component
        for component in bill["components"]
        if component.get("purl", "pkg:pypi/").startswith(f"pkg:{kind}/")
    }


@pytest.mark.skipif(os.environ.get("PRISM_TEST_FULL") != "1", reason="a minute of validation: part of `make test-full`")
def test_it_follows_the_schema_strictly(bill: dict[str, Any]) -> None:
    some_debian = list(named(bill, "deb").values())[:25]  # they are made alike
    assert problems({**bill, "components": [*named(bill, "pypi").values(), *some_debian]}) == []


def test_a_bill_with_a_field_of_its_own_does_not(bill: dict[str, Any]) -> None:
    assert len(problems({**bill, "remark": "not of the schema", "components": [], "dependencies": []})) == 1


def test_every_installed_package_is_in_it_with_its_version(bill: dict[str, Any]) -> None:
    listed = "import importlib.metadata as m; print(*(f'{d.name} {d.version}' for d in m.distributions()), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", listed], capture_output=True, text=True, check=True
    )  # -c: nothing vendored
    installed = {
        name.lower().replace("_", "-").replace(".", "-"): version
        for name, version in (line.split(" ") for line in done.stdout.splitlines())
    }
    assert {name: component["version"] for name, component in named(bill, "pypi").items()} == installed


def test_addresses_and_licences_come_along(bill: dict[str, Any]) -> None:
    found = named(bill, "pypi")
    assert found["torch"]["purl"].startswith("pkg:pypi/torch@2.13.0")
    assert "MIT" in str(found["pydantic"]["licenses"])


@pytest.mark.skipif(not Path("/usr/bin/dpkg-query").exists(), reason="not a Debian")
def test_debian_packages_are_in_it_with_their_versions(bill: dict[str, Any]) -> None:
    shown = subprocess.run(["dpkg-query", "--show", "--showformat=${Version}", "bash"], capture_output=True, text=True)
    assert named(bill, "deb")["bash"]["version"] == shown.stdout


def test_an_environment_that_is_not_there_leaves_no_file(tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, tmp_path / "python", tmp_path / "sbom.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []
