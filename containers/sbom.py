"""Writes a software bill of materials (CycloneDX 1.6, JSON) of a Python environment.

    python containers/sbom.py PYTHON OUT [--system]

PYTHON is the environment's interpreter; --system adds the Debian packages of the machine that this runs on. It needs
cyclonedx-bom alone, so that images can run it from an environment that they leave behind.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from packageurl import PackageURL

_DPKG_FORMAT = "${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Writes a software bill of materials of a Python environment.")
    parser.add_argument("python", help="interpreter of the environment")
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("--system", action="store_true", help="add the Debian packages of this machine")
    arguments = parser.parse_args()
    bill = python_packages(arguments.python)
    if arguments.system:
        bill["components"] += debian_packages()
    text = json.dumps(bill, indent=1, sort_keys=True) + "\n"
    temporary = arguments.out.with_name(arguments.out.name + ".tmp")
    temporary.write_text(text)
    temporary.replace(arguments.out)
    print(f"made: {arguments.out} ({len(bill['components'])} components)")


def python_packages(python: str) -> dict[str, Any]:
    """The bill of all that is installed in the environment of `python`, with its licences, checked by cyclonedx_py."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", python]
    command += ["--spec-version", "1.6", "--output-format", "JSON", "--output-reproducible"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def debian_packages() -> list[dict[str, str]]:
    """A component for each installed Debian package."""
    listed = subprocess.run(
        ["dpkg-query", "--show", f"--showformat={_DPKG_FORMAT}"], stdout=subprocess.PIPE, text=True, check=True
    )
    release = platform.freedesktop_os_release()
    distribution = f"{release['ID']}-{release['VERSION_ID']}"
    rows = [line.split("\t") for line in listed.stdout.splitlines()]
    return [
        _component(release["ID"], name, version, architecture, distribution)
        for status, name, version, architecture in rows
        if status.startswith("ii")
    ]


def _component(vendor: str, name: str, version: str, architecture: str, distribution: str) -> dict[str, str]:
    url = PackageURL("deb", vendor, name, version, {"arch": architecture, "distro": distribution}).to_string()
    return {"type": "library", "bom-ref": url, "name": name, "version": version, "purl": url}


if __name__ == "__main__":
    main()
