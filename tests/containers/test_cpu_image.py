"""The CPU image, really built, and the miniature's data stage in it, as the user that it has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from containers.render import read
from prism import __version__
from tests.containers.bill import problems
from tests.containers.buildah import Buildah, missing
from tests.release.small_world import SMALL_WORLD

pytestmark = [
    pytest.mark.skipif("PRISM_TEST_IMAGE" not in os.environ, reason="builds an image: part of `make test-image`"),
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a chroot takes root"),
    pytest.mark.xdist_group("image"),
    pytest.mark.timeout(1_800),
]

TAG = "localhost/prism-cpu:test"


@dataclass(frozen=True)
class Container:
    """A container of the image, and its files."""

    buildah: Buildah
    name: str
    root: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command as the image's user in the image's folder, with its environment."""
        return self.buildah("run", "--isolation", "chroot", "--network", "host", self.name, "--", *command, check=False)


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    folder = tmp_path_factory.mktemp("buildah")
    buildah = Buildah(folder)
    buildah.build(
        "containers/cpu/Dockerfile", TAG, [f"BASE={buildah.make_base()}", "TORCH_INDEX=", "REVISION=of the test"]
    )
    name = buildah("from", "--pull-never", TAG).stdout.strip()
    yield Container(buildah, name, Path(buildah("mount", name).stdout.strip()))
    buildah("rm", "--all")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def config(container: Container) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(container.buildah("inspect", "--type", "image", TAG).stdout)["Docker"]["config"]
    return found


def test_doctor_finds_all_that_the_engine_needs(container: Container) -> None:
    done = container.run("prism", "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    pins = read().images["cpu"].pins
    assert any("torch" in row and f"{pins['torch'].version}+cpu" in row for row in rows), done.stdout
    assert any("megatron-core" in row and pins["megatron_core"].version in row for row in rows), done.stdout


def test_the_miniatures_data_stage_runs_in_it(container: Container) -> None:
    done = container.run("prism", "run", "miniature", "--only", "data", *SMALL_WORLD)
    assert done.returncode == 0, done.stdout + done.stderr
    run = container.root / "work" / "runs" / "miniature"
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["nodes"]["data"]["status"] == "finished"
    assert manifest["nodes"]["data"]["code_version"] == __version__
    lock = json.loads((run / "data" / "blends" / "math_code_science.lock.json").read_text())
    assert lock["sources"]
    assert {path.name for path in (run / "data" / "sources").glob("*.bin")} >= {"general.bin", "math.bin"}
    assert (run / "manifest.json").stat().st_uid == 10_001


def test_its_user_is_not_root_and_cannot_change_what_is_installed(container: Container) -> None:
    assert container.run("id", "-u").stdout == "10001\n"
    assert container.run("touch", "/work/mine").returncode == 0
    assert container.run("touch", "/opt/prism/mine").returncode != 0


def test_docker_finds_user_health_check_and_entry_point_in_it(config: dict[str, Any]) -> None:
    assert config["User"] == "10001"
    assert config["Healthcheck"]["Test"] == ["CMD", "prism", "doctor", "--quick"]
    assert config["Entrypoint"] == ["prism"]
    assert config["Labels"]["org.opencontainers.image.revision"] == "of the test"


def test_nothing_of_the_build_is_left_in_it(container: Container, config: dict[str, Any]) -> None:
    assert not (container.root / "etc" / "pip.conf").exists()
    assert [entry for entry in config["Env"] if entry.startswith("PIP_")] == []
    left = [path for name in ("build", "opt/sbom", "root/.cache") if (path := container.root / name).exists()]
    assert left == []
    assert not list((container.root / "opt" / "prism").rglob("tests/containers"))


def test_its_bill_of_materials_is_valid_and_lists_python_and_debian_packages(container: Container) -> None:
    text = (container.root / "usr" / "share" / "prism" / "sbom.cdx.json").read_text()
    assert problems(json.loads(text)) == []
    versions = {component["name"]: component["version"] for component in json.loads(text)["components"]}
    pins = read().images["cpu"].pins
    assert versions["prism-megatron"] == __version__
    assert versions["torch"].partition("+")[0] == pins["torch"].version
    assert {"megatron-core", "libc6", "python3.11-minimal"} <= set(versions)
    assert "cyclonedx-bom" not in versions
