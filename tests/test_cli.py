"""The command line, run as a process: what it prints and the code it leaves with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

MAIN = "from prism.cli import main; main()"


def prism(*arguments: str, cwd: Path | None = None, code: str = MAIN) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60)


BROKEN = {
    "unknown key": (
        "midtrain:\n  sequence_lenght: 64",
        "broken.yaml:3: midtrain.sequence_lenght: unknown key. Remedy: did you mean sequence_length?",
    ),
    "wrong type": ("midtrain:\n  steps: many", "broken.yaml:3: midtrain.steps: 'many' isn't a valid integer"),
    "weights that don't sum": (
        "data:\n  blends:\n    base: {general: 60}",
        "broken.yaml:4: data.blends.base: weights sum to 60 percent, not 100. Remedy: make them sum to 100",
    ),
    "missing file": (
        "data:\n  sources:\n    song:\n      path: no_such_file.jsonl",
        "broken.yaml:5: data.sources.song.path: missing file no_such_file.jsonl",
    ),
    "tensor parallel": (
        "cluster:\n  tensor_parallel: 3\n  processes: 3",
        "broken.yaml:3: cluster.tensor_parallel: tensor_parallel 3 doesn't divide 4 query heads. "
        "Remedy: nearest that does: 2",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_recipe_leaves_with_2_and_one_clear_line(tmp_path: Path, kind: str) -> None:
    lines, expected = BROKEN[kind]
    (tmp_path / "broken.yaml").write_text(f"extends: miniature.yaml\n{lines}\n")
    result = prism("recipes", "validate", "broken.yaml", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    (error,) = result.stderr.splitlines()
    assert error.startswith(f"error: {expected}")
    assert "Remedy: " in error


def test_validate_goes_through_all_recipes_and_leaves_with_2_if_any_is_broken(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("extends: miniature.yaml\nrun: {sed: 1}\n")
    result = prism("recipes", "validate", "broken.yaml", "miniature", "miniature_hybrid", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout.splitlines() == ["miniature: valid", "miniature_hybrid: valid"]
    assert result.stderr.startswith("error: broken.yaml:2: run.sed: unknown key.")


def test_validate_may_be_asked_not_to_look_for_files(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: miniature.yaml\ndata: {sources: {song: {path: nowhere.jsonl}}}\n")
    assert prism("recipes", "validate", "mine.yaml", cwd=tmp_path).returncode == 2
    assert prism("recipes", "validate", "--no-files", "mine.yaml", cwd=tmp_path).returncode == 0


def test_list_prints_recipes_and_no_fragments() -> None:
    result = prism("recipes", "list")
    assert result.returncode == 0
    assert {"miniature", "miniature_hybrid"} <= set(result.stdout.split())
    assert "models/" not in result.stdout


def test_show_prints_the_composed_recipe_with_overrides() -> None:
    result = prism("recipes", "show", "miniature_hybrid", "--set", "midtrain.steps=7", "--set", "run.seed=3")
    assert result.returncode == 0
    shown = yaml.safe_load(result.stdout)
    assert shown["midtrain"]["steps"] == 7
    assert shown["data"]["world"]["seed"] == 3
    assert shown["model"]["hybrid_pattern"] == "M-M*-M-"
    assert "extends" not in shown


def test_schema_prints_a_json_schema_with_descriptions() -> None:
    result = prism("recipes", "schema")
    assert result.returncode == 0
    schema = json.loads(result.stdout)
    assert schema["$defs"]["MidtrainConfig"]["properties"]["steps"]["description"].startswith("Optimizer steps")


@pytest.mark.parametrize("command", ["list", "show", "schema", "validate"])
def test_the_help_of_each_command_shows_an_example(command: str) -> None:
    result = prism("recipes", command, "--help")
    assert result.returncode == 0
    assert f"Example: prism recipes {command}" in " ".join(result.stdout.split())


def test_a_user_error_is_one_line_and_its_own_exit_code() -> None:
    result = prism("recipes", "show", "minature")
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        "error: minature: no such recipe, neither a file nor a packaged one. Remedy: did you mean miniature?"
    ]


def test_debug_adds_the_traceback_and_keeps_the_exit_code() -> None:
    result = prism("recipes", "show", "minature", "--debug")
    assert result.returncode == 2
    assert result.stderr.startswith("Traceback (most recent call last):")
    assert result.stderr.splitlines()[-1].startswith("error: minature: no such recipe")


def test_an_unknown_command_or_option_leaves_with_2() -> None:
    assert prism("no_such_command").returncode == 2
    assert prism("recipes", "list", "--no-such-option").returncode == 2


COMMAND = """
from prism.cli import app, main

@app.command()
def fail():
    {body}

main()
"""


@pytest.mark.parametrize(
    ("error", "code"),
    [("UsageError", 2), ("GateRefused", 3), ("BadInput", 4), ("ResourcesExhausted", 5), ("Requeue", 85)],
)
def test_each_kind_of_error_leaves_with_its_code(error: str, code: int) -> None:
    body = f"import prism.errors; raise prism.errors.{error}('it broke', place='here', remedy='mend it')"
    result = prism("fail", code=COMMAND.format(body=body))
    assert result.returncode == code
    assert result.stderr.splitlines() == ["error: here: it broke. Remedy: mend it"]


def test_an_error_nobody_expected_is_one_line_with_its_type_and_the_way_to_see_more() -> None:
    result = prism("fail", code=COMMAND.format(body="raise ZeroDivisionError('by nothing')"))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ZeroDivisionError: by nothing")
    assert "--debug" in line


def test_an_interrupt_leaves_with_130() -> None:
    body = (
        "import os, signal, time; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "os.kill(os.getpid(), signal.SIGINT); time.sleep(10)"
    )
    assert prism("fail", code=COMMAND.format(body=body)).returncode == 130


def test_the_command_line_starts_without_heavy_rooms() -> None:
    code = "import sys; import prism.cli; print([m for m in ('torch', 'numpy', 'pydantic') if m in sys.modules])"
    result = prism(code=code)
    assert result.returncode == 0
    assert result.stdout.strip() == "[]"
