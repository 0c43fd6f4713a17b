"""`prism eval`: what it refuses before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_cli import prism

WRONG = {
    "neither": (["nowhere", "--tasks", "gsm8k"], "nowhere: neither a run's stage nor a Hugging Face folder"),
    "limit without tasks": (["miniature", "--limit", "3"], "no tasks are named"),
    "server without a name": (
        [".", "--tasks", "gsm8k", "--server", "http://localhost:1"],
        "a server's model needs a name and a tokenizer",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_call_leaves_with_2_and_one_clear_line(tmp_path: Path, kind: str) -> None:
    arguments, expected = WRONG[kind]
    result = prism("eval", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    (error,) = result.stderr.splitlines()
    assert expected in error and "Remedy: " in error
