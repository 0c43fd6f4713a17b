"""HumanEval: right solutions pass, broken ones and cheats don't."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prism.score import code
from tests.score.tiers import TIERS, contained_by

DATA = Path(os.environ.get("PRISM_DATA", Path(__file__).parents[3] / "shared" / "data"))
FILE = DATA / "humaneval" / "HumanEval.jsonl.gz"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"HumanEval isn't in {DATA}; PRISM_DATA names its folder")

ALWAYS_EQUAL = (
    "class Anything:\n"
    "    def __eq__(self, other): return True\n"
    "    def __ne__(self, other): return False\n"
    "    def __lt__(self, other): return True\n"
    "    __gt__ = __le__ = __ge__ = __lt__\n"
    "    def __sub__(self, other): return 0\n"
    "    __rsub__ = __abs__ = __sub__ = lambda *a: 0\n"
    "    def __hash__(self): return 0\n"
    "    def __bool__(self): return True\n"
    "    def __len__(self): return 1\n"
    "    def __iter__(self): return iter(())\n"
)


@pytest.fixture(scope="module", params=TIERS)
def tier(request: pytest.FixtureRequest) -> Iterator[str]:
    with contained_by(request.param) as name:
        yield name


@pytest.fixture(scope="module")
def tasks() -> list[dict[str, Any]]:
    with gzip.open(FILE, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def passed(tasks: list[dict[str, Any]], program: Callable[[dict[str, Any]], str]) -> list[str]:
    """The tasks that the programs pass, by name."""
    rows = [
        {
            "prompt": task["prompt"],
            "verifier": {
                "kind": "code",
                "test": "check",
                "source": task["test"],
                "entry_point": task["entry_point"],
                "setup": task["prompt"],
                "seconds": 10.0,
            },
        }
        for task in tasks
    ]
    verdicts = code.verify_code(rows, [program(task) for task in tasks])
    return [task["task_id"] for task, verdict in zip(tasks, verdicts, strict=True) if verdict]


def test_all_canonical_solutions_pass(tier: str, tasks: list[dict[str, Any]]) -> None:
    assert len(tasks) == 164
    assert passed(tasks, lambda task: task["prompt"] + task["canonical_solution"]) == [t["task_id"] for t in tasks]


BROKEN: dict[str, Callable[[dict[str, Any]], str]] = {
    "raises": lambda task: f"{task['prompt']}    raise RuntimeError('broken')\n",
    "returns what equals nothing": lambda task: f"{task['prompt']}    return ['no answer', {task['task_id']!r}]\n",
    "a right function under another name": lambda task: (
        (task["prompt"] + task["canonical_solution"]).replace(f"def {task['entry_point']}(", "def renamed(")
        + f"\ndel {task['entry_point']}\n"
    ),
    "syntax error": lambda task: f"{task['prompt']}    return (\n",
    "nothing": lambda task: "",
}
CHEATS: dict[str, Callable[[dict[str, Any]], str]] = {
    "leaves at once": lambda task: "import os\nos._exit(0)\n",
    "leaves as a success": lambda task: "import sys\nsys.exit(0)\n",
    "leaves when called": lambda task: f"import os\ndef {task['entry_point']}(*a, **k): os._exit(0)\n",
    "prints a token": lambda task: (
        f"def {task['entry_point']}(*a, **k): print('PASSED', 'true', True)\nprint('PASSED')\n"
    ),
    "writes true everywhere": lambda task: (
        "import os\nfor n in range(64):\n    try: os.write(n, b'true')\n"
        f"    except OSError: pass\ndef {task['entry_point']}(*a, **k): return True and 'x'\n"
    ),
    "equals everything": lambda task: f"{ALWAYS_EQUAL}def {task['entry_point']}(*a, **k): return Anything()\n",
    "ends the loop": lambda task: f"def {task['entry_point']}(*a, **k): raise StopIteration\n",
    "fails no assertion": lambda task: (
        f"import builtins\nbuiltins.AssertionError = ()\n"
        f"def check(candidate): pass\ndef {task['entry_point']}(*a, **k): return object\n"
    ),
}


@pytest.mark.parametrize("program", BROKEN.values(), ids=BROKEN)
def test_no_broken_solution_passes(
    program: Callable[[dict[str, Any]], str], tier: str, tasks: list[dict[str, Any]]
) -> None:
    assert passed(tasks, program) == []


@pytest.mark.parametrize("program", CHEATS.values(), ids=CHEATS)
def test_no_cheat_passes(program: Callable[[dict[str, Any]], str], tier: str, tasks: list[dict[str, Any]]) -> None:
    assert passed(tasks, program) == []
