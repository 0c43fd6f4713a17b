"""hadolint, ShellCheck and shfmt have nothing to say about Dockerfiles and scripts."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sysconfig.get_path("scripts"))
DOCKERFILES = sorted((ROOT / "containers").glob("*/Dockerfile"))
SCRIPTS = sorted((ROOT / "containers").rglob("*.sh"))


def said(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_has_nothing_to_say(path: Path) -> None:
    assert said(BIN / "hadolint", "--no-color", "--failure-threshold", "style", path) == ""


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_and_shfmt_have_nothing_to_say(path: Path) -> None:
    assert said(BIN / "shellcheck", path) == ""
    assert said(BIN / "shfmt", "-d", "-i", "2", "-ci", "-bn", "-sr", path) == ""


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_is_told_to_overlook_only_unpinned_debian_packages(path: Path) -> None:
    assert set(re.findall(r"hadolint ignore=(.*)", path.read_text())) <= {"DL3008"}
    assert not list(ROOT.glob(".hadolint.y*ml"))


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_every_image_has_a_user_a_health_check_and_labels_and_keeps_no_secret(path: Path) -> None:
    text = path.read_text()
    last = text[text.rindex("\nFROM ") :]
    (user,) = re.findall(r"^USER (\d+)$", last.replace("USER 0\n", ""), re.MULTILINE)
    assert int(user) > 0
    assert last.count("\nHEALTHCHECK ") == 1
    assert "org.opencontainers.image.licenses" in last
    assert re.findall(r"^(?:ARG|ENV) .*(?:TOKEN|PASSWORD|SECRET|KEY)", text, re.MULTILINE) == []
