"""The wheel that is made from the sdist holds all that is needed, and works outside of the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from prism import __version__
from tests.release.small_world import SMALL_WORLD

pytestmark = pytest.mark.xdist_group("wheel")

ROOT = Path(__file__).parents[2]
SHIPPED = ("prism", "data_prep", "recipes", "slurm")
BESIDE = ("pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE", "NOTICE", "tests", "benchmarks")


@dataclass(frozen=True)
class Installed:
    """A virtual environment of its own with the wheel; what the wheel depends on comes from this environment."""

    python: Path
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`prism` with these arguments, in an empty folder."""
        command = [str(self.python.with_name("prism")), *arguments]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the sdist and the wheel made from it. A copy is built: setuptools writes into its sources."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in (*SHIPPED, *BESIDE):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "results"))
        else:
            shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("elsewhere")
    python = folder / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    paths = sysconfig.get_paths(vars={"base": str(folder / "venv"), "platbase": str(folder / "venv")})
    # A folder that a .pth file names is searched; the .pth files in it, an editable install's too, aren't read.
    (Path(paths["purelib"]) / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    (wheel,) = dist.glob("*.whl")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(command, check=True)
    (folder / "work").mkdir()
    return Installed(python, folder / "work")


def test_every_file_of_the_packages_is_in_sdist_and_wheel(dist: Path) -> None:
    here = {
        path.relative_to(ROOT).as_posix()
        for name in SHIPPED
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        assert here - set(archive.namelist()) == set()
    with tarfile.open(sdist) as archive:
        assert here - {name.partition("/")[2] for name in archive.getnames()} == set()


def test_nothing_but_the_packages_is_in_the_wheel_and_no_tests_in_the_sdist(dist: Path) -> None:
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {*SHIPPED, f"prism_megatron-{__version__}.dist-info"}
    assert {Path(name).name for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}
    with tarfile.open(sdist) as archive:
        top = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {"tests", "benchmarks"} & top == set()
    assert {"CHANGELOG.md", "LICENSE", "NOTICE"} <= top


def test_the_package_runs_from_where_it_is_installed(installed: Installed) -> None:
    code = "import data_prep, prism; print(prism.__file__, data_prep.__file__)"
    done = subprocess.run([installed.python, "-c", code], cwd=installed.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    prism_file, data_prep_file = map(Path, done.stdout.split())
    assert prism_file.is_relative_to(installed.python.parents[1])
    assert data_prep_file.is_relative_to(installed.python.parents[1])


def test_it_knows_its_version_and_its_recipes(installed: Installed) -> None:
    assert installed.run("--version").stdout == f"{__version__}\n"
    listed = installed.run("recipes", "list")
    assert {"miniature", "llama_3_1_8b/math_code_science"} <= set(listed.stdout.split()), listed.stderr
    checked = installed.run("recipes", "validate", "miniature")
    assert (checked.returncode, checked.stdout) == (0, "miniature: valid\n"), checked.stderr


def test_it_plans_a_run_of_the_paper(installed: Installed) -> None:
    planned = installed.run("plan", "llama_3_1_8b/math_code_science")
    assert planned.returncode == 0, planned.stderr
    assert "llama_3_1_8b" in planned.stdout


def test_it_prepares_the_miniatures_data(installed: Installed) -> None:
    done = installed.run("run", "miniature", "--only", "data", *SMALL_WORLD)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((installed.folder / "runs" / "miniature" / "manifest.json").read_text())
    assert manifest["nodes"]["data"]["status"] == "finished"
    assert manifest["nodes"]["data"]["code_version"] == __version__
    assert (installed.folder / "runs" / "miniature" / "data" / "blends" / "base.lock.json").is_file()
