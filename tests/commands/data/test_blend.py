"""`prism data blend`, run as a process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

from prism.report.blend_tables import tables

RECIPE = "granite_3_3_8b/math_code_science"


def blend(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "prism.cli", "data", "blend", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60)


def test_a_plan_is_a_tree_of_domains_and_sources_with_the_step_of_the_first_epochs_end(tmp_path: Path) -> None:
    result = blend("plan", RECIPE, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("math_code_science  26,214,400,000 tokens, 25,000 steps of 1,048,576")
    assert "└── science  12.5 %  3.28B" in lines
    (row,) = (line for line in lines if "mot_science" in line)
    assert re.sub(" +", " ", row) == (
        " └── mot_science 4.75 % 1.25B of 420M 2.96 epochs first epoch ends at step 8,433 of 25,000"
    )
    assert "max_epochs isn't set" in lines[-1]


def test_a_refused_blend_leaves_with_3_and_its_remedies_let_it_through(tmp_path: Path) -> None:
    result = blend("plan", RECIPE, "--max-epochs", "2", "--html", "plan.html", cwd=tmp_path)
    assert result.returncode == 3
    (error,) = result.stderr.splitlines()
    assert error.startswith("error: --max-epochs: too many epochs in math_code_science. Remedy: ")
    assert "refused" in (tmp_path / "plan.html").read_text()

    pasted = re.search(r"^    data:\n(?:     .*\n)+", result.stdout, re.MULTILINE)
    assert pasted is not None
    values = yaml.safe_load(pasted[0])
    (tmp_path / "capped.yaml").write_text(yaml.safe_dump({"extends": f"{RECIPE}.yaml", **values}))
    steps = re.search(r"\(b\) train on at most .*, ([\d,]+) steps", result.stdout)
    epochs = re.search(r"\(c\) set data\.max_epochs to (\S+)", result.stdout)
    assert steps is not None and epochs is not None
    for recipe, change in (
        ("capped.yaml", "data.max_epochs=2"),
        (RECIPE, f"midtrain.steps={steps[1].replace(',', '')}"),
        (RECIPE, f"data.max_epochs={epochs[1]}"),
    ):
        limit = [] if "max_epochs" in change else ["--max-epochs", "2"]
        done = blend("plan", recipe, "--set", change, *limit, cwd=tmp_path)
        assert done.returncode == 0, (change, done.stdout, done.stderr)


def test_a_wrong_option_is_named(tmp_path: Path) -> None:
    unknown = blend("plan", RECIPE, "--blend", "math_code_sience", cwd=tmp_path)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "--blend: unknown blend math_code_sience. Remedy: did you mean math_code_science?" in unknown.stderr
    limit = blend("plan", RECIPE, "--max-epochs", "nan", cwd=tmp_path)
    assert limit.returncode == 2
    assert "--max-epochs: nan isn't a number above 0" in limit.stderr
    page = blend("table", "--page", "none.md", cwd=tmp_path)
    assert (page.returncode, page.stdout) == (2, "")
    assert "--page none.md: no such page" in page.stderr


def test_prism_plan_refuses_too_many_epochs_with_the_steps_that_fit(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "prism.cli", "plan", "granite_3_3_8b/math", "--set", "data.max_epochs=2"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert result.returncode == 3
    # mot_math: 2 x 0.6B tokens at 10 percent, in steps of 128 x 8,192.
    assert "(b) train on at most 12,000,000,000 tokens of it, 11,444 steps" in result.stderr


def test_the_table_is_printed_as_it_is_committed(tmp_path: Path) -> None:
    assert blend("table", cwd=tmp_path).stdout == tables()
