"""Pins come from the package's own metadata; a wrong torch fails, another stray version warns."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from prism.doctor import Machine, Row, Verdict, held_to, needs_of
from prism.doctor.packages import packages


def installed(folder: Path, name: str, version: str, requires: tuple[str, ...] = ()) -> None:
    """A package as pip leaves its metadata."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    (info / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {entry}" for entry in requires)]) + "\n")


def rows() -> dict[str, Row]:
    return {row.name: row for row in packages(Machine())}


def test_this_environment_has_what_it_is_tested_with() -> None:
    assert {name: row.found for name, row in rows().items() if row.verdict is not Verdict.OK} == {}
    assert any(pin.package == "mamba-ssm" and pin.extra == "cuda" for pin in Machine().pins())


def test_an_old_torch_fails_and_says_which_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "torch", "2.1.0+cu118")
    monkeypatch.syspath_prepend(tmp_path)
    row = rows()["torch"]
    assert row.verdict is Verdict.FAILS
    assert row.found == "2.1.0+cu118, tested with 2.13.0"
    assert "torch==2.13.0" in row.remedy and "rebuild" in row.remedy


def test_another_version_of_a_library_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "numpy", "1.0")
    monkeypatch.syspath_prepend(tmp_path)
    assert rows()["numpy"].verdict is Verdict.SLOW


def test_what_is_missing_fails_only_where_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requires = ("pydantic==2.14.3", 'torch==2.13.0 ; extra == "engine"', "datatrove[io]==0.10.1; extra == 'data'")
    installed(tmp_path, "prism-megatron", "0.2.0", requires)
    for name in ("pydantic", "omegaconf", "typer", "rich", "jinja2"):
        installed(tmp_path, name, "2.14.3" if name == "pydantic" else "1")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    found = list(packages(Machine()))
    known = [*found, Row("cluster", "slurm", "", Verdict.OK)]
    failing = {row.name for row in held_to(known, needs_of("launch").rows) if row.verdict is Verdict.FAILS}
    assert failing == set()
    names = {row.name for row in held_to(found, needs_of("laptop").rows) if row.verdict is Verdict.FAILS}
    assert {"torch", "megatron-core", "datatrove", "pyarrow"} <= names
    assert {row.name: row.remedy for row in found}["datatrove"] == "pip install -e '.[data]'"
