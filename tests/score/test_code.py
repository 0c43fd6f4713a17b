"""Code is run in a child process, and compared here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from prism.score.code import _pool, verify_code

REQUEST = {"kind": "stdin", "name": "", "inputs": [""], "seconds": 2.0, "memory_bytes": 1 << 29}
ADD = "def add(a, b):\n    return a + b\n"


def passes(program: str, test: str, cases: list[Any], **settings: Any) -> bool:
    verifier = {"kind": "code", "test": test, "cases": cases, **settings}
    return verify_code([{"prompt": "?", "answer": "", "verifier": verifier}], [program])[0]


def adds(program: str, **settings: Any) -> bool:
    return passes(program, "call", [[[1, 2], 3], [[5, 5], 10]], entry_point="add", **settings)


def maps(program: str) -> bool:
    return passes(program, "expression", [[x, (3 * x + 4) % 5] for x in range(5)], variable="x", modulus=5)


def doubles(program: str) -> bool:
    return passes(program, "stdin", [["3\n", "6\n"], ["4\n", "8\n"]])


@pytest.mark.parametrize("program", ["x * 3 + 4", "3 * x - 1", "( x + 3 ) * 3"])
def test_an_expression_is_right_when_it_agrees_on_every_x(program: str) -> None:
    assert maps(program)


@pytest.mark.parametrize("program", ["x * 3 + 3", "4", "'4'", "x *", "", "y", "x * 3.0 + 4", "print(1)"])
def test_an_expression_that_differs_anywhere_is_wrong(program: str) -> None:
    assert not maps(program)


def test_a_function_is_called_on_every_case() -> None:
    assert adds(ADD)
    assert adds(f"Here it is:\n```python\n{ADD}```\n")
    assert not adds("def add(a, b):\n    return 3\n")
    assert not adds("def sub(a, b):\n    return a + b\n")


def test_a_program_reads_standard_input_and_prints() -> None:
    assert doubles("print(int(input()) * 2)")
    assert not doubles("print(6)")
    assert not doubles("print(int(input()) * 2 + 1)")


CHEATS = {
    "leaves at once": "import os\nos._exit(0)\n",
    "leaves as a success": "import sys\nsys.exit(0)\n",
    "prints a token": "print('PASSED')\ndef add(a, b):\n    print(True)\n",
    "equals everything": "class Any:\n    def __eq__(self, other): return True\ndef add(a, b): return Any()\n",
    "a number that equals everything": "class Any(int):\n    def __eq__(self, other): return True\n"
    "    __hash__ = None\ndef add(a, b): return Any()\n",
    "writes to every descriptor": "import os\nfor number in range(3, 64):\n    try: os.write(number, b'[true, true]')\n"
    "    except OSError: pass\nos._exit(0)\n",
    "forks": "import os\ndef add(a, b):\n    while True: os.fork()\n",
    "takes all memory": "def add(a, b):\n    hoard = [0] * 10**10\n    return a + b\n",
    "fills memory bit by bit": "def add(a, b):\n    hoard = []\n    while True: hoard.append(bytearray(1 << 20))\n",
    "writes a file": "import tempfile\ndef add(a, b):\n    with tempfile.TemporaryFile() as file:\n"
    "        file.write(b'x' * 9999)\n        file.flush()\n    return a + b\n",
    "kills its parent": f"import os\nos.kill(os.getppid(), 9)\n{ADD}",
    "returns too much": "def add(a, b):\n    return 'x' * (1 << 22)\n",
    "nests too deeply": "def add(a, b):\n    nest = []\n    for _ in range(10**5): nest = [nest]\n    return nest\n",
}
HANGS = {
    "loops": "def add(a, b):\n    while True: pass\n",
    "sleeps": "import time\ndef add(a, b):\n    time.sleep(60)\n",
    "ignores signals": "import signal\nfor number in range(1, 65):\n    try: signal.signal(number, signal.SIG_IGN)\n"
    "    except (OSError, ValueError): pass\ndef add(a, b):\n    while True: pass\n",
}


@pytest.mark.parametrize("program", CHEATS.values(), ids=CHEATS)
def test_a_cheating_program_fails(program: str) -> None:
    assert not adds(program)
    assert adds(f"{ADD}# after the cheat")


@pytest.mark.parametrize("program", HANGS.values(), ids=HANGS)
def test_a_hanging_program_is_killed(program: str) -> None:
    assert not adds(program, seconds=0.5)
    assert adds(f"{ADD}# after the hang")


def test_expected_results_never_reach_the_program() -> None:
    spy = (
        "import gc, sys\n"
        "def add(a, b):\n"
        "    seen = [o for o in gc.get_objects() if isinstance(o, dict) and 'cases' in o]\n"
        "    frame, names = sys._getframe(), []\n"
        "    while frame:\n"
        "        names += list(frame.f_locals)\n"
        "        request = frame.f_locals.get('request')\n"
        "        if request and ('expected' in request or 'cases' in request): return a + b\n"
        "        frame = frame.f_back\n"
        "    return a + b if seen else None\n"
    )
    assert not adds(spy)


@pytest.mark.parametrize(
    "program",
    [
        "import sys\nprint(int(sys.stdin.readline()) * 2)\nsys.exit(0)",
        "print(int(input()) * 2)\nexit()",
        "import sys\nsys.stdout.buffer.write(b'%d' % (int(sys.stdin.buffer.read()) * 2))",
        "print(int(open(0).read()) * 2)",
        "if __name__ == '__main__':\n    print(int(input()) * 2)",
    ],
)
def test_the_usual_ways_to_read_print_and_end_are_right(program: str) -> None:
    assert doubles(program)


@pytest.mark.parametrize("program", ["print(int(input()) * 2)\n1 / 0", "print(int(input()) * 2)\nraise SystemExit(3)"])
def test_a_program_that_ends_in_failure_is_wrong(program: str) -> None:
    assert not doubles(program)


@pytest.mark.parametrize(
    ("body", "expected", "right"),
    [
        ("None", None, True),
        ("0.1 + 0.2", 0.3, True),
        ("(1, 2)", [1, 2], True),
        ("[True]", [1], False),
        ("1", True, False),
        ("float('nan')", 1.0, False),
        ("object()", None, False),
    ],
)
def test_results_are_compared_as_plain_values(body: str, expected: Any, right: bool) -> None:
    assert passes(f"def f(x): return {body}", "call", [[[1], expected]], entry_point="f") is right


def test_results_dont_depend_on_the_run() -> None:
    program = "import random\nprint(list({'alpha', 'beta', 'gamma'}), random.random())"
    outputs = [_pool().ask_all([{**REQUEST, "program": program}], [20.0])[0]["results"] for _ in range(2)]
    _pool().close()
    outputs.append(_pool().ask_all([{**REQUEST, "program": program}], [20.0])[0]["results"])
    assert outputs[0][0] is not None
    assert outputs[0] == outputs[1] == outputs[2]


def test_hanging_programs_dont_keep_each_other_waiting() -> None:
    verifier = {"kind": "code", "test": "call", "cases": [[[1, 2], 3]], "entry_point": "add", "seconds": 0.5}
    rows = [{"prompt": "?", "answer": "", "verifier": verifier}] * 8
    programs = [f"{HANGS['sleeps']}# {number}" for number in range(7)] + [ADD]
    assert verify_code(rows, programs) == [False] * 7 + [True]


def test_programs_arent_run_where_limits_cant_be_set() -> None:
    program = (
        "from prism.score.code import _pool, verify_code\n"
        "verify_code([{'verifier': {'kind': 'code', 'test': 'stdin', 'cases': [['', '']]}}], ['pass'])\n"
    )
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root, who then lacks the right to change user")
    run = subprocess.run(
        ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert "programs can't be run with limits here" in run.stderr
