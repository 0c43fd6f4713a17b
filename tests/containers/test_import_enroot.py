"""containers/import_enroot.sh up to enroot's door: a stand-in takes enroot's place, which isn't in Debian."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "containers" / "import_enroot.sh"

ENROOT = """#!/bin/bash
printf '%s\\n' "$@" > "$STAND_IN/arguments"
[[ -z ${FAILS-} ]] || { echo "[ERROR] no room" >&2; exit 1; }
while [[ $1 != --output ]]; do shift; done
[[ ! -e $2 ]] || exit 1
printf '%s' "${CONTENT-hsqs}" > "$2"
"""
DOCKER = '#!/bin/bash\n[[ $* == "image inspect prism-train:latest" ]]\n'


class Place:
    """A folder to import into, with stand-ins on the path."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.out = folder / "images" / "prism.sqsh"
        self.bin.mkdir()
        self.out.parent.mkdir()
        for name, text in {"enroot": ENROOT, "docker": DOCKER, "mksquashfs": "#!/bin/bash\n"}.items():
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)

    def run(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "STAND_IN": str(self.bin), **environment}
        return subprocess.run([SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False)

    def asked(self) -> list[str]:
        """What enroot was called with, without the name of the unfinished image."""
        arguments = (self.bin / "arguments").read_text().splitlines()
        at = arguments.index("--output") + 1
        assert Path(arguments[at]).parent == self.out.parent
        return [*arguments[: at - 1], *arguments[at + 1 :]]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("dockerd://prism-train:latest", "dockerd://prism-train:latest"),
        ("podman://prism-train", "podman://prism-train"),
        ("docker://nvcr.io/nvidia/nemo:25.11", "docker://nvcr.io#nvidia/nemo:25.11"),
        ("docker://nvcr.io#nvidia/nemo:25.11", "docker://nvcr.io#nvidia/nemo:25.11"),
        ("docker://localhost:5000/prism-train", "docker://localhost:5000#prism-train"),
        ("docker://vllm/vllm-openai:v0.33.0", "docker://vllm/vllm-openai:v0.33.0"),
        ("docker://debian:bookworm-slim", "docker://debian:bookworm-slim"),
    ],
)
def test_an_image_is_asked_for_as_enroot_writes_it_and_has_its_name_when_it_is_whole(
    place: Place, given: str, asked: str
) -> None:
    done = place.run(given, place.out)
    assert done.returncode == 0, done.stderr
    assert place.asked() == ["import", "--", asked]
    assert done.stdout.startswith(f"made: {place.out} (")
    assert [path.name for path in place.out.parent.iterdir()] == ["prism.sqsh"]


def test_another_architecture_is_passed_on(place: Place) -> None:
    assert place.run("--arch", "aarch64", "docker://debian", place.out).returncode == 0
    assert place.asked() == ["import", "--arch", "aarch64", "--", "docker://debian"]


def test_what_is_there_is_replaced_only_when_that_is_said(place: Place) -> None:
    place.out.write_text("older")
    refused = place.run("docker://debian", place.out)
    assert (refused.returncode, refused.stderr) == (
        2,
        f"error: {place.out}: is there already. Remedy: --force replaces it\n",
    )
    assert place.out.read_text() == "older"
    assert place.run("--force", "docker://debian", place.out).returncode == 0
    assert place.out.read_text() == "hsqs"


@pytest.mark.parametrize("environment", [{"FAILS": "yes"}, {"CONTENT": ""}])
def test_a_failed_import_keeps_what_is_there_and_leaves_nothing_behind(
    place: Place, environment: dict[str, str]
) -> None:
    place.out.write_text("older")
    done = place.run("--force", "docker://debian", place.out, **environment)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: docker://debian: enroot ")
    assert [path.read_text() for path in place.out.parent.iterdir()] == ["older"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["debian", "x.sqsh"], "error: debian: not an address of an image. Remedy: begin it with dockerd://, "),
        (["docker://", "x.sqsh"], "error: docker://: not an address of an image."),
        (["docker://debian", "x.img"], "error: x.img: enroot knows images by their ending. Remedy: end it with .sqsh"),
        (["docker://debian", "/no/such/x.sqsh"], "error: /no/such: no such folder. Remedy: make it"),
        (["--fast", "docker://debian", "x.sqsh"], "error: --fast: no such option. Remedy: --help lists them"),
        (["--arch"], "error: --arch: no architecture. Remedy: --arch aarch64"),
        (["dockerd://prism-cpu", "x.sqsh"], "error: dockerd://prism-cpu: this machine's Docker has no such image."),
        (["docker://debian"], "usage: containers/import_enroot.sh"),
        ([], "usage: containers/import_enroot.sh"),
    ],
)
def test_a_wrong_call_leaves_with_2_and_says_what_to_do(place: Place, arguments: list[str], message: str) -> None:
    done = place.run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert not (place.bin / "arguments").exists()


def test_without_enroot_it_says_where_to_run(place: Place) -> None:
    (place.bin / "enroot").unlink()
    done = place.run("docker://debian", place.out)
    assert done.returncode == 2
    assert done.stderr == "error: enroot: isn't installed. Remedy: run this on a node that has enroot\n"
