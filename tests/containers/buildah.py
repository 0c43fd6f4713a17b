"""Builds images without a registry: a Debian from mmdebstrap as base image, buildah in a chroot, storage of its own."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = ("buildah", "mmdebstrap")
DEBIAN = "localhost/debian-with-python:bookworm"
PACKAGES = "ca-certificates,python3-venv"


def missing() -> list[str]:
    """Programs that building needs and this machine lacks."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


@dataclass(frozen=True)
class Buildah:
    """buildah with its images below `folder`."""

    folder: Path

    def __call__(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        storage = ["--storage-driver", "vfs", "--root", self.folder / "images", "--runroot", self.folder / "run"]
        done = subprocess.run(["buildah", *storage, *arguments], capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stdout[-6_000:] + done.stderr[-6_000:]
        return done

    def make_base(self) -> str:
        """Bootstraps a Debian with Python and makes an image of it. Returns its name."""
        source = self.folder / "base"
        source.mkdir()
        made = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", source / "root.tar"]
        subprocess.run(made, check=True)
        (source / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
        self("build", "--isolation", "chroot", "--tag", DEBIAN, source)
        shutil.rmtree(source)
        return DEBIAN

    def build(self, dockerfile: str, tag: str, arguments: Sequence[str]) -> None:
        """Builds an image with this machine's package index, which isn't kept in it."""
        config, mounts = self._pip_config()
        self(
            *("build", "--isolation", "chroot", "--network", "host", "--format", "docker", "--tag", tag),
            *(f"--build-arg={argument}" for argument in arguments),
            *(f"--volume={mount}:{mount}:ro" for mount in mounts),
            *("--secret", f"id=pip,src={config}", "--file", ROOT / dockerfile, ROOT),
        )

    def _pip_config(self) -> tuple[Path, list[Path]]:
        """What pip is configured with here as a pip.conf, and the files and folders that it names."""
        command = [sys.executable, "-m", "pip", "config", "list"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        settings: dict[str, str] = {}
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            settings[key.rpartition(".")[2]] = ast.literal_eval(value)
        config = self.folder / "pip.conf"
        config.write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items()))
        words = [word for value in settings.values() for word in value.split()]
        # A file:// index refers to files beside its folder.
        folders = [Path(word.removeprefix("file://")).parent for word in words if word.startswith("file:///")]
        plain = [Path(word) for word in words if word.startswith("/")]
        return config, sorted({path for path in (*folders, *plain) if path.exists()})
