"""What the checks read: files below a root, programs on the path, packages of this Python."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*==\s*([^\s;]+)\s*(?:;.*extra\s*==\s*[\"'](\w+)[\"'])?")


@dataclass(frozen=True)
class Answer:
    """What a program said. `code` is None where it didn't end in time."""

    code: int | None
    output: str

    @property
    def first_line(self) -> str:
        return next((line.strip() for line in self.output.splitlines() if line.strip()), "no output")[:120]


@dataclass(frozen=True)
class Pin:
    """A version that this release is tested with. `extra` is None in the base install."""

    package: str
    version: str
    extra: str | None


@dataclass(frozen=True)
class Machine:
    """This machine.

    Args:
        folder: where runs are written.
        root: of /proc, /sys and /dev.
        timeout_s: of a program that is asked.
    """

    folder: Path = Path("runs")
    root: Path = field(default=Path("/"))
    timeout_s: float = 10.0

    def read(self, path: str) -> str | None:
        """A file of the system without the white space around it; None where there is none."""
        try:
            return (self.root / path.lstrip("/")).read_text(errors="replace").strip()
        except OSError:
            return None

    def ask(self, *command: str) -> Answer | None:
        """What a program of the path answers; None where there is none."""
        program = shutil.which(command[0])
        if program is None:
            return None
        try:
            done = subprocess.run(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Answer(None, f"no answer in {self.timeout_s:g} s")
        except OSError as error:
            return Answer(126, f"doesn't start: {error.strerror}")
        return Answer(done.returncode, done.stdout)

    def version(self, package: str) -> str | None:
        """The installed version of a package; None where it isn't installed."""
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    def pins(self) -> list[Pin]:
        """The versions that this package's own metadata asks for; empty where it isn't installed."""
        try:
            requirements = importlib.metadata.requires("prism-megatron") or []
        except importlib.metadata.PackageNotFoundError:
            return []
        found = (_PIN.match(requirement) for requirement in requirements)
        return [Pin(match[1], match[2], match[3]) for match in found if match is not None]

    def writable_folder(self) -> Path:
        """The nearest folder above the runs' that exists."""
        folder = self.folder.absolute()
        while not folder.is_dir():
            folder = folder.parent
        return folder

    @property
    def has_nvidia(self) -> bool:
        """Whether an NVIDIA driver is loaded, whatever torch says."""
        return (self.root / "proc/driver/nvidia/version").exists()

    def environment(self, name: str) -> str | None:
        return os.environ.get(name)
