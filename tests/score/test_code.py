"""Code is run in a child process, and compared here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from prism.errors import BadInput
from prism.score.code import verify_code
from prism.score.sandbox import ForkServer
from tests.score.tiers import TIERS, contained_by

ADD = "def add(a, b):\n    return a + b\n"


@pytest.fixture(autouse=True, params=TIERS)
def tier(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every verdict is the same in both tiers."""
    with contained_by(request.param) as name:
        yield name


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
        "    needle = str([[1, 2], 1 + 2])[1:-1]\n"
        "    seen = [o for o in gc.get_objects() if isinstance(o, (list, dict)) and needle in repr(o)[:99999]]\n"
        "    frame = sys._getframe().f_back\n"
        "    while frame:\n"
        "        for name, value in frame.f_locals.items():\n"
        "            if name in ('expected', 'cases') or needle in repr(value): return a + b\n"
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


def test_results_dont_depend_on_the_run(tier: str) -> None:
    program = "import random\nprint(list({'alpha', 'beta', 'gamma'}), random.random())"
    outputs = []
    for _ in range(2):
        server = ForkServer(tier)
        outputs += [server.run({"role": "script", "program": program}, 5.0, 1 << 29, b"").output for _ in range(2)]
        server.kill()
    assert outputs[0]
    assert set(outputs) == {outputs[0]}


def test_hanging_programs_dont_keep_each_other_waiting() -> None:
    verifier = {"kind": "code", "test": "call", "cases": [[[1, 2], 3]], "entry_point": "add", "seconds": 0.5}
    rows = [{"prompt": "?", "answer": "", "verifier": verifier}] * 8
    programs = [f"{HANGS['sleeps']}# {number}" for number in range(7)] + [ADD]
    assert verify_code(rows, programs) == [False] * 7 + [True]


FORGERIES = {
    "json replaced": 'import json\njson.dumps = lambda *a, **k: \'["3", "10"]\'\ndef add(a, b): return 0\n',
    "the answer written by itself": "import os\ndef add(a, b):\n    for n in range(3, 64):\n"
    "        try: os.write(n, b'[true, true]')\n        except OSError: pass\n    os._exit(0)\n",
    "the encoder replaced": "import sys\nfor name, module in list(sys.modules.items()):\n"
    "    if name.startswith('inside'): vars(module).update(dumps=lambda value: 'true', _attempt=lambda *a: 'true')\n"
    "def add(a, b): return 0\n",
    "true for all": "def add(a, b): return True\n",
    "keys of one hash": "import json, os\ndef add(a, b):\n"
    "    alike = json.dumps({'s': [n * (2**61 - 1) for n in range(20000)]})\n"
    "    text = json.dumps([alike, alike]).encode()\n"
    "    while text: text = text[os.write(4, text):]\n    os._exit(0)\n",
    "a huge number": "def add(a, b): return 1 << (1 << 21)\n",
    "not a number": "def add(a, b): return float('nan')\n",
}


@pytest.mark.parametrize("name", [name for name in FORGERIES if name != "json replaced"])
def test_a_forged_answer_is_wrong(name: str) -> None:
    assert not adds(FORGERIES[name])
    assert not adds(FORGERIES[name], modulus=7)
    assert not checks(FORGERIES[name])


def test_a_forger_has_to_know_what_is_expected() -> None:
    assert adds(FORGERIES["json replaced"])
    assert not passes(FORGERIES["json replaced"], "call", [[[1, 2], 3], [[5, 5], 11]], entry_point="add")


def test_a_small_temporary_file_may_be_written_where_it_is_in_memory(tier: str) -> None:
    program = (
        "import tempfile\ndef add(a, b):\n    with tempfile.TemporaryFile() as file:\n"
        "        file.write(b'x' * 9999)\n        file.flush()\n    return a + b\n"
    )
    assert adds(program) is (tier == "namespaces")


def checks(program: str, source: str = "", **settings: Any) -> bool:
    source = source or "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(5, 5) == 10\n"
    verifier = {"kind": "code", "test": "check", "source": source, "entry_point": "add", **settings}
    return verify_code([{"prompt": "?", "verifier": verifier}], [program])[0]


@pytest.mark.parametrize("name", [name for name in CHEATS if name != "kills its parent"])
def test_a_cheating_program_fails_written_tests(name: str) -> None:
    assert checks(ADD)
    assert not checks(CHEATS[name], seconds=1.0)


VALUES = """(1, 2); [1, 2]; {1: 'a', 2: (3,)}; {(1, 2): {3}}; {1, 2}; frozenset({1}); b'x'; bytearray(b'x'); 1j;
10**400; -(2**63); None; True; 1.5; float('inf'); ''; '\\ud800'; [[], {}, ()]; {'a': [1]}"""


@pytest.mark.parametrize("value", [value.strip() for value in VALUES.split(";")])
def test_values_keep_their_type(value: str) -> None:
    test = f"def check(f):\n    want = {value}\n    got = f(want)\n    assert got == want and type(got) is type(want)\n"
    same = f"def check(f):\n    got = f({value})\n    assert repr(got) == repr({value})\n"
    assert checks("def add(x): return x", test)
    assert checks("def add(x): return x", same)
    assert checks(f"def add(x): return {value}", test)


def test_nan_comes_back_as_nan() -> None:
    assert checks("def add(x): return x", "def check(f):\n    assert f(float('nan')) != f(float('nan'))\n")


@pytest.mark.parametrize(
    ("wanted", "returned"),
    [("(1, 2)", "[1, 2]"), ("{1: 2}", "{'1': 2}"), ("[1]", "{1}"), ("'1'", "1"), ("b'1'", "'1'")],
)
def test_types_that_differ_are_told_apart(wanted: str, returned: str) -> None:
    test = f"def check(f):\n    assert f(0) == {wanted}\n"
    assert checks(f"def add(x): return {wanted}", test)
    assert not checks(f"def add(x): return {returned}", test)


def test_exceptions_reach_the_tests_as_the_nearest_built_in_kind() -> None:
    test = (
        "def check(candidate):\n    try:\n        candidate(-1)\n    except ValueError as error:\n"
        "        assert str(error) == 'too small'\n    else:\n        assert False\n"
    )
    assert checks("class Small(ValueError): pass\ndef add(x): raise Small('too small')", test)
    assert not checks("def add(x): raise KeyError('too small')", test)
    assert not checks("def add(x): return 1", test)
    assert not checks("import os\ndef add(x): os._exit(0)", test)


@pytest.mark.parametrize(
    "body", ["raise StopIteration", "raise GeneratorExit", "raise SystemExit", "import os; os._exit(0)"]
)
def test_a_loop_over_the_cases_cant_be_ended_early(body: str) -> None:
    lenient = "def check(f):\n    assert all(map(lambda x: f(x) == x, [1, 2]))\n"
    assert checks("def add(x): return x", lenient)
    assert not checks(f"def add(x): {body}", lenient)


@pytest.mark.parametrize(
    "body", ["raise GeneratorExit", "raise SystemExit", "import os; os._exit(0)", "return object()"]
)
def test_a_process_that_ends_fails_tests_that_catch_everything(body: str) -> None:
    swallows = "def check(f):\n    try: f(1)\n    except: pass\n"
    assert checks("def add(x): return x", swallows)
    assert checks(f"def add(x): {body}", swallows) is (body == "return object()")


def test_helpers_of_the_tests_are_the_rows_own() -> None:
    setup = 'import math\ndef poly(x):\n    return math.floor(x) * 2\ndef add(x):\n    """Finds x."""\n'
    test = "def check(f):\n    assert poly(f(0)) == 8\n"
    assert checks("def add(x): return 4.5", test, setup=setup)
    assert not checks("def poly(x): return 8\ndef add(x): return 1", test, setup=setup)


def test_arguments_are_copies() -> None:
    test = "def check(f):\n    given = [3, 1]\n    assert f(given) == sorted(given)\n    assert given == [3, 1]\n"
    assert checks("def add(x): return sorted(x)", test)
    assert not checks("def add(x):\n    x.clear()\n    return x\n", test)


def test_a_test_that_passes_a_function_cant_be_judged_and_fails() -> None:
    assert not checks("def add(f): return f(1)", "def check(f):\n    assert f(abs) == 1\n")


def test_unit_tests_of_assert_statements() -> None:
    tests = ["\nassert add(1, 2) == 3\n", "values = [add(n, n) for n in range(3)]\nassert values == [0, 2, 4]"]
    for given in (tests, json.dumps(tests)):
        rows = [{"prompt": "?", "verifier": {"kind": "code", "unit_tests": given}}] * 3
        programs = [ADD, "def add(a, b): return 3", "def other(a, b): return a + b"]
        assert verify_code(rows, programs) == [True, False, False]


def test_unit_tests_know_helpers_of_the_setup_from_the_function_that_is_asked_for() -> None:
    setup = "def double(x): return 2 * x\ndef add(a, b):\n    ...\n"
    verifier = {"kind": "code", "test": "asserts", "asserts": ["assert add(1, 1) == double(1)"], "setup": setup}
    rows = [{"prompt": "?", "verifier": {**verifier, "entry_point": "add"}}] * 2
    assert verify_code(rows, [ADD, "def double(x): return None\ndef add(a, b): return None"]) == [True, False]


def test_inputs_and_outputs_of_published_sets() -> None:
    calls = {"kind": "code", "inputs": [[1, 2], [5, 5]], "outputs": [[3], 10], "fn_name": "add"}
    lines = {"kind": "code", "inputs": ["1\n2\n", ["5", "5"]], "outputs": ["3", ["10"]]}
    method = "class Solution:\n    def add(self, a, b): return a + b\n"
    rows = [{"prompt": "?", "verifier": calls}] * 3 + [{"prompt": "?", "verifier": lines}] * 2
    programs = [ADD, method, "def add(a, b): return 3", "print(int(input()) + int(input()))", "print(3)"]
    assert verify_code(rows, programs) == [True, True, False, True, False]


@pytest.mark.parametrize(
    "program",
    [
        "import threading\ndef main(): print(int(input()) * 2)\nthreading.Thread(target=main).start()\n",
        "import atexit\nn = int(input())\natexit.register(lambda: print(n * 2))\n",
        "import sys\nsys.setrecursionlimit(10**6)\nf = lambda n: n and 2 + f(n - 1)\nprint(f(int(input())))",
        "import bisect, heapq, collections, itertools, numbers, html, csv\nprint(int(input()) * 2)",
    ],
)
def test_threads_exit_handlers_and_the_library_work(program: str) -> None:
    assert doubles(program)


def test_dataclasses_and_types_work() -> None:
    program = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import List\n"
        "@dataclass\nclass P:\n    x: int\n    y: List[int] = None\ndef add(a, b): return P(a).x + b\n"
    )
    assert adds(program)


@pytest.mark.parametrize("expression", ["x if x else x", "[x][0]", "x ** 1", "x and x", "x.real", "x * 1.0"])
def test_an_expression_that_isnt_plain_arithmetic_is_run(expression: str) -> None:
    assert passes(expression, "expression", [[x, x] for x in range(3)], variable="x")


@pytest.mark.parametrize(
    "expression", ["abs(x)", "__import__('os').getpid()", "()", "open('/etc/passwd')", "9**9**9**9"]
)
def test_an_expression_has_no_functions_and_little_time(expression: str) -> None:
    assert not passes(expression, "expression", [[x, x] for x in range(3)], variable="x", seconds=1.0)


@pytest.mark.parametrize(
    "missing", [{"test": "call", "cases": [[1, 2]]}, {"test": "check", "entry_point": "f"}, {"test": "?"}, {}]
)
def test_a_row_that_isnt_whole_is_bad_input(missing: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="prompt 7"):
        verify_code([{"id": 7, "verifier": {"kind": "code", **missing}}], ["pass"])


BEGUN = 'def double(x):\n    """Twice x."""\n'
REST = {
    "the whole function": "def double(x):\n    return 2 * x",
    "the rest": "    return 2 * x",
    "the rest without its first blanks": "return 2 * x",
    "the rest in a fence": "```python\n    y = x\n    return x + y\n```",
    "a method": "class Solution:\n    def double(self, x):\n        return 2 * x\n\n\ndouble = Solution().double",
    "the rest and more": "return twice(x)\n\n\ndef twice(x):\n    return 2 * x",
}
NOT_THE_REST = {
    "the rest of another function": "return 3 * x",
    "another function": "def triple(x):\n    return 2 * x",
    "nothing": "",
    "no indentation": "y = x\nreturn x + y",
}


@pytest.mark.parametrize("answer", [*REST.values(), *NOT_THE_REST.values()], ids=[*REST, *NOT_THE_REST])
def test_an_answer_may_be_the_rest_of_a_function_that_is_begun(answer: str) -> None:
    verifier = {
        "kind": "code",
        "test": "check",
        "source": "def check(candidate):\n    assert candidate(4) == 8\n",
        "entry_point": "double",
        "setup": BEGUN,
        "completes": True,
    }
    right = verify_code([{"prompt": "?", "answer": "", "verifier": verifier}], [answer])[0]
    assert right == (answer in REST.values())


@pytest.mark.parametrize("tag", ["", "python", "py", "Python", "python3", "py3", "python  ", "python\r"])
def test_a_fence_may_say_python_in_any_of_the_usual_ways(tag: str) -> None:
    assert adds(f"First an idea:\n```\nadd = None\n```\nThen:\n```{tag}\n{ADD}```\nDone.")


def test_a_fence_of_another_language_is_no_program() -> None:
    assert adds(f"```python\n{ADD}```\nIn C:\n```c\nint add(int a, int b) {{ return 0; }}\n```\n")


def test_cases_that_are_run_apart_know_nothing_of_each_other() -> None:
    counts = "calls = 0\ndef add(a, b):\n    global calls\n    calls += 1\n    return a + b if calls == 1 else None\n"
    assert not adds(counts)
    assert adds(counts, apart=True)
    assert adds(ADD, apart=True)
    assert not adds("def add(a, b):\n    return 3\n", apart=True)
