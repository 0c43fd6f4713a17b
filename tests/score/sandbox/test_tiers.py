"""The best tier that works is taken; where none does, programs aren't run unless the recipe says so."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
WITHOUT = Path(__file__).with_name("without.py")
SAYS = """
from prism.score import sandbox
from prism.score.code import verify_code
sandbox.configure(*{wish!r})
verifier = {{"kind": "code", "test": "call", "cases": [[[1], 2]], "entry_point": "f"}}
print(verify_code([{{"verifier": verifier}}] * 2, ["def f(x): return x + 1", "def f(x): return x"]))
print(sandbox.describe().tier, "|", sandbox.describe().reason)
"""
AS_USER = """
import os
from prism.score.sandbox.probe import what_fails
from prism.score.sandbox.server import ForkServer
assert os.getuid() == 12345
for tier in ("namespaces", "landlock"):
    server = ForkServer(tier)
    print(tier, "|", what_fails(server))
    server.kill()
"""


def run(denied: str, *wish: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(WITHOUT), denied, SAYS.format(wish=wish)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_namespaces_are_taken_where_they_work(tier: str) -> None:
    if tier != "namespaces":
        pytest.skip("the other tier's turn")
    result = run("nothing")
    assert result.stdout.splitlines() == ["[True, False]", "namespaces | it works here"], result.stderr


def test_landlock_is_taken_where_namespaces_are_denied(tier: str) -> None:
    if tier != "landlock":
        pytest.skip("the other tier's turn")
    result = run("namespaces")
    assert result.stdout.splitlines()[0] == "[True, False]", result.stderr
    assert result.stdout.splitlines()[1].startswith("landlock | it works here; namespaces doesn't (")
    assert "Operation not permitted" in result.stdout


def test_nothing_is_run_where_neither_works() -> None:
    result = run("namespaces,landlock")
    assert result.returncode != 0
    assert "model-written programs can't be contained here (namespaces: " in result.stderr
    assert "sandbox.allow_unsandboxed: true" in result.stderr
    assert result.stdout == ""


def test_limits_alone_are_taken_when_the_recipe_allows_it_and_said() -> None:
    result = run("namespaces,landlock", "auto", True)
    assert result.stdout.splitlines()[0] == "[True, False]", result.stderr
    assert result.stdout.splitlines()[1].startswith("none | sandbox.allow_unsandboxed is set, and no tier works here")


def test_a_tier_that_is_asked_for_is_not_replaced_by_another() -> None:
    result = run("namespaces", "namespaces")
    assert result.returncode != 0
    assert "can't be contained here (namespaces: " in result.stderr


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="needs root, to become somebody else")
def test_an_ordinary_user_has_both_tiers(tier: str) -> None:
    if not all(folder.stat().st_mode & 0o005 == 0o005 for folder in (REPOSITORY, *REPOSITORY.parents)):
        pytest.skip(f"other users can't read {REPOSITORY}")
    python = _python_for_all()
    drop = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
    paths = os.pathsep.join([str(REPOSITORY), sysconfig.get_path("purelib")])
    with tempfile.TemporaryDirectory() as cache:
        Path(cache).chmod(0o777)
        environment = {"PYTHONPATH": paths, "NUMBA_CACHE_DIR": cache}
        result = subprocess.run(
            [*drop, python, "-c", AS_USER], capture_output=True, text=True, check=False, env=environment, cwd="/"
        )
    assert f"{tier} | \n" in result.stdout, result.stdout + result.stderr


CONTAINERS = {
    "root of a container without SYS_ADMIN": ["setpriv", "--bounding-set=-sys_admin"],
    "root of a user namespace": ["unshare", "--user", "--map-root-user"],
}


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="needs root, to lose rights")
@pytest.mark.parametrize("command", CONTAINERS.values(), ids=CONTAINERS)
def test_roots_that_are_less_have_both_tiers(command: list[str], tier: str) -> None:
    result = subprocess.run(
        [*command, sys.executable, "-c", AS_USER.replace("assert os.getuid() == 12345\n", "")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert f"{tier} | \n" in result.stdout, result.stdout + result.stderr


def _python_for_all() -> str:
    """An interpreter of this version that everybody may start."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (sys.base_prefix + "/bin/" + version, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        file = Path(path)
        if file.exists() and all(parent.stat().st_mode & stat.S_IXOTH for parent in file.resolve().parents):
            return path
    pytest.skip("no Python here that an ordinary user may start")
