"""Writes what containers/versions.yaml says into the Dockerfiles and the tables of docs/howto/containers.md.

python containers/render.py                        # all of it
python containers/render.py --commands cpu train   # the commands that build these images
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ROOT / "containers" / "versions.yaml"
PAGE = ROOT / "docs" / "howto" / "containers.md"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pin(_Section):
    """One version in one image; versions.yaml explains the fields."""

    version: str
    why: str
    source: str
    arg: str | None = None
    pyproject: list[str] | Literal["base"] | None = None
    lock: bool | str = False


class Image(_Section):
    """An image and its pins, by name."""

    dockerfile: str
    tag: str
    what: str
    pins: dict[str, Pin]


class Agreement(_Section):
    """Pins, as `image.pin`, that have the same version."""

    pins: list[str]
    why: str


class Difference(_Section):
    """Pins, as `image.pin`, that don't, and what follows from it."""

    pins: list[str]
    so: str


class Versions(_Section):
    """containers/versions.yaml."""

    schema_version: Literal[1]
    images: dict[str, Image]
    agree: list[Agreement]
    differ: list[Difference]
    matrix: dict[str, str]

    def pin(self, place: str) -> Pin:
        """The pin at `image.pin`."""
        image, _, name = place.partition(".")
        return self.images[image].pins[name]


def read() -> Versions:
    """The versions, checked against their schema."""
    return Versions.model_validate(yaml.safe_load(VERSIONS.read_text()))


def dockerfile(image: Image) -> str:
    """The image's Dockerfile with the pinned versions as defaults of its ARGs.

    Raises:
        ValueError: an `arg` of a pin isn't an ARG with a default in the file.
    """
    text = (ROOT / image.dockerfile).read_text()
    for name, pin in image.pins.items():
        if pin.arg is None:
            continue
        text, found = re.subn(rf"^ARG {pin.arg}=.*$", f"ARG {pin.arg}={pin.version}", text, flags=re.MULTILINE)
        if not found:
            raise ValueError(f"{image.dockerfile}: no line ARG {pin.arg}=..., which the pin {name} names")
    return text


def page(versions: Versions) -> str:
    """docs/howto/containers.md with its tables."""
    text = PAGE.read_text()
    for name, table in (
        ("images", _images(versions)),
        ("matrix", _matrix(versions)),
        ("differences", _differences(versions)),
        ("pins", _pins(versions)),
    ):
        begin, end = f"<!-- {name}: from versions.yaml -->\n", "<!-- end -->"
        before, found, rest = text.partition(begin)
        if not found or end not in rest:
            raise ValueError(f"{PAGE}: no place for the table {name}")
        text = f"{before}{begin}{table}{rest[rest.index(end) :]}"
    return text


def commands(versions: Versions, names: list[str], engine: str) -> list[str]:
    """What builds the images, from the root of the repository."""
    chosen = [versions.images[name] for name in names or versions.images]
    return [f"{engine} build -t {image.tag} -f {image.dockerfile} ." for image in chosen]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _short(version: str) -> str:
    """Without a digest, a registry's default name and most of a commit."""
    version = version.partition("@sha256:")[0].removeprefix("docker.io/library/").removeprefix("docker.io/")
    return version[:12] if re.fullmatch(r"[0-9a-f]{40}", version) else version


def _images(versions: Versions) -> str:
    rows = [[f"`{image.tag}`", f"`{image.dockerfile}`", image.what] for image in versions.images.values()]
    return _table(["image", "file", "for"], rows)


def _matrix(versions: Versions) -> str:
    rows = [
        [name, *(_short(image.pins[row].version) if row in image.pins else "" for image in versions.images.values())]
        for row, name in versions.matrix.items()
    ]
    return _table(["", *versions.images], rows)


def _differences(versions: Versions) -> str:
    rows = [
        [", ".join(f"{place} {versions.pin(place).version}" for place in difference.pins), difference.so]
        for difference in versions.differ
    ]
    return _table(["differ", "so"], rows)


def _pins(versions: Versions) -> str:
    rows = [
        [image, name, f"`{_short(pin.version)}`", f"`{pin.arg}`" if pin.arg else "", pin.why, pin.source]
        for image, described in versions.images.items()
        for name, pin in described.pins.items()
    ]
    return _table(["image", "pin", "version", "build argument", "why", "source"], rows)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Writes versions.yaml into Dockerfiles and docs.")
    parser.add_argument("--commands", nargs="*", metavar="IMAGE", help="print what builds these images instead")
    parser.add_argument("--engine", default="docker", help="docker, podman or buildah")
    arguments = parser.parse_args()
    versions = read()
    if arguments.commands is not None:
        print("\n".join(commands(versions, arguments.commands, arguments.engine)))
        return
    for image in versions.images.values():
        (ROOT / image.dockerfile).write_text(dockerfile(image))
    PAGE.write_text(page(versions))


if __name__ == "__main__":
    main()
