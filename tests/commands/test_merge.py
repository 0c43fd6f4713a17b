"""`prism merge`, two forms, exit codes, one line an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prism.cli import main
from tests.longcontext import made
from tests.models.tiny_io import ROOT


def prism_merge(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "prism.cli", "merge", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)


def test_three_folders_are_merged_and_a_second_time_refused(tmp_path: Path) -> None:
    base, trained, out = (
        made.hf(tmp_path / "base", 1),
        made.hf(tmp_path / "trained", 2, rope_theta=600.0),
        tmp_path / "out",
    )
    done = prism_merge(base, trained, out, "--base-weight", 0.25)
    assert done.returncode == 0, done.stderr
    made_line, next_line = done.stdout.splitlines()
    assert made_line.startswith(f"made: {out} (0.25 x {base} + 0.75 x {trained}; 39 tensors, ")
    assert next_line.startswith("next: ")
    assert done.stderr == "note: rope_base is 500.0 in base, 600.0 in trained; the result has trained's\n"
    again = prism_merge(base, trained, out)
    assert again.returncode == 2
    assert again.stderr == f"error: {out}: the target exists. Remedy: remove it, or name another\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nothing", "like_it"], 2, "error: prism merge: OUT is missing. Remedy: give BASE TRAINED OUT, or a recipe"),
        (["nothing", "like_it", "out"], 2, "error: nothing: no such folder. Remedy: give a folder with a checkpoint"),
        (["tests", "tests", "out"], 4, "error: tests: no torch_dist checkpoint. Remedy: give a folder with .metadata"),
        (["a", "b", "out", "--set", "run.seed=2"], 2, "error: prism merge: --set and --stage belong to a recipe."),
        (["miniature", "--base-weight", "0.2"], 2, "error: miniature: --base-weight belongs to BASE TRAINED OUT."),
        (["miniature", "--stage", "no_such_stage"], 2, "error: miniature: the recipe has no such stage."),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(
    arguments: list[str], code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["prism", "merge", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == code
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(message)
    assert not (ROOT / "out").exists()
