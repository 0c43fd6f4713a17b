"""The page of exit codes and error classes; the classes are found in the source."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = "reference/exit_codes.md"
BASE = "UserError"

MEANINGS = {
    0: ("done", ""),
    1: (
        "failed",
        "read the error's line; `--debug` adds the traceback. Of `prism doctor`: something that is needed fails",
    ),
    2: ("wrong usage or recipe", "the line names file, line and key, and the nearest valid name"),
    3: ("a gate refused", "a decision is yours: the line says which, and what would be accepted"),
    4: ("bad input data or checkpoint", "the line names the file; restore or fetch it again"),
    5: ("disk or memory ran out", "what was saved before is whole: make room and call the same command again"),
    85: ("saved, and wants to be started again", "call the same command again; a Slurm job does so by itself"),
    130: ("Ctrl-C", "call the same command again: it goes on from the newest checkpoint"),
}


@dataclass(frozen=True)
class ErrorClass:
    """A class of errors for the user."""

    name: str
    module: str
    parent: str
    code: int
    summary: str


def pages() -> dict[str, str]:
    """Content by name of file."""
    rows = ["| code | meaning | what to do |", "|---|---|---|"]
    rows += [f"| {code} | {meaning} | {remedy} |" for code, (meaning, remedy) in MEANINGS.items()]
    classes = ["| class | code | |", "|---|---|---|"]
    classes += [f"| `{error.module}.{error.name}` | {error.code} | {error.summary} |" for error in error_classes()]
    intro = [
        "# Exit codes and errors",
        "",
        "Every command leaves with one of these. A run leaves with the code of its first failed stage.",
        "",
    ]
    middle = [
        "",
        "An error is one line on standard error, `error: PLACE: WHAT. Remedy: WHAT TO DO`.",
        "",
        "## Error classes",
        "",
        "What Python code can catch; each has `message`, `place`, `remedy` and `exit_code`. Generated from the source.",
        "",
    ]
    return {PAGE: "\n".join([*intro, *rows, *middle, *classes, ""])}


def error_classes() -> list[ErrorClass]:
    """Every class of the package that derives from `UserError`, by module, parents before children."""
    found: dict[str, list[tuple[str, ast.ClassDef]]] = {}
    for room in ("data_prep", "prism"):
        for path in sorted((ROOT / room).rglob("*.py")):
            module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    for base in node.bases:
                        found.setdefault(ast.unparse(base).rpartition(".")[2], []).append((module, node))
    result: list[ErrorClass] = []
    _collect(BASE, 1, found, result)
    return result


def _collect(
    parent: str, code: int, found: dict[str, list[tuple[str, ast.ClassDef]]], result: list[ErrorClass]
) -> None:
    for module, node in found.get(parent, []):
        error = ErrorClass(node.name, module, parent, _code(node, code), (ast.get_docstring(node) or "").split("\n")[0])
        if error in result or any((one.module, one.name) == (error.module, error.name) for one in result):
            continue
        result.append(error)
        _collect(node.name, error.code, found, result)


def _code(node: ast.ClassDef, inherited: int) -> int:
    for line in node.body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "exit_code":
            return int(ast.literal_eval(line.value))
    return inherited
