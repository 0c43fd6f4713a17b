"""The figures of a sweep's table: expressions as in claims, checked before anything runs, read from runs afterwards."""

from __future__ import annotations

import ast
import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from prism.errors import RecipeError
from prism.pipeline.graph import build_graph, select
from prism.pipeline.links import Node
from prism.pipeline.manifest import Manifest
from prism.pipeline.sections import differences
from prism.recipe import Recipe
from prism.report.claims import OF_EVALUATIONS, OF_PAIRS, Figures, NotRun
from prism.report.results import Results, Stage, load_results
from prism.report.shapes import RecipeFile
from prism.sweep.members import Sweep, SweepRun


@dataclass(frozen=True)
class Reading:
    """A figure of a run; without a value, `reason` says why."""

    value: float | None
    reason: str = ""


def nodes_of(sweep: Sweep, run: SweepRun) -> tuple[str, ...]:
    """The nodes that a run has to finish: the sweep's `only`, or those that its figures are read from.

    Raises:
        RecipeError: a figure can't be read, or names a stage, task, function or comparison that the recipe lacks.
        UsageError: `only` names no node.
    """
    graph = build_graph(run.recipe)
    read = [node for name in sweep.file.config.figures for node in _read_by(sweep, run, graph, name)]
    if sweep.file.config.only is not None:
        return tuple(select(graph, sweep.file.config.only))
    return tuple(dict.fromkeys(read))


def read_figures(sweep: Sweep, run: SweepRun) -> dict[str, Reading]:
    """Every figure of a run, as far as the nodes behind it are finished and made by the keys as they are now.

    Raises:
        RecipeError: a figure can't be read.
    """
    graph, manifest = build_graph(run.recipe), Manifest.load(run.directory)
    figures = Figures(load_results(run.directory)) if manifest.nodes else None
    found = {}
    for name, figure in sweep.file.config.figures.items():
        reason = _unfinished(select(graph, _read_by(sweep, run, graph, name)), manifest)
        if reason or figures is None:
            found[name] = Reading(None, reason or "not run")
            continue
        try:
            value = float(figures.evaluate(figure.value, sweep.file.place_of("figures", name)))
            found[name] = Reading(value) if math.isfinite(value) else Reading(None, "not a finite number")
        except NotRun as missing:
            found[name] = Reading(None, str(missing))
        except ZeroDivisionError:
            found[name] = Reading(None, "a division by zero")
    return found


def _unfinished(nodes: Mapping[str, Node], manifest: Manifest) -> str:
    """Why the nodes' results aren't those of the recipe; empty where they are."""
    for name, node in nodes.items():
        record = manifest.nodes.get(name)
        if record is None or record.status != "finished":
            return f"{name} isn't finished"
        changes = differences(record.section, node.section)
        if changes:
            return f"{name} is of other settings ({changes[0]})"
    return ""


def _read_by(sweep: Sweep, run: SweepRun, graph: Mapping[str, Node], name: str) -> list[str]:
    """Nodes that make what figure `name` is read from."""
    place, expression = sweep.file.place_of("figures", name), sweep.file.config.figures[name].value
    nothing = Figures(_nothing_yet(run.recipe))
    _try(nothing, expression, place)
    found: dict[str, None] = {}
    for call in _calls(expression):
        _try(nothing, ast.unparse(call), place)
        function = ast.unparse(call.func)
        names = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        for node in _nodes(function, names, run.recipe):
            if node not in graph:
                raise _not_made(node, name, place)
            found[node] = None
    if not found:
        raise RecipeError(f"{expression!r} reads no figure of a run", place=place, remedy="write pass_rate('mid')")
    return list(found)


def _nodes(function: str, names: Sequence[str], recipe: Recipe) -> Iterator[str]:
    if function in OF_PAIRS:
        yield from (f"analyze:{before}:{after}" for before, after in zip(names[::2], names[1::2], strict=False))
        return
    prefix = "evaluate:" if function in OF_EVALUATIONS else ""
    yield from (f"{prefix}{name}" for name in names if name in recipe.pipeline)


def _not_made(node: str, figure: str, place: str) -> RecipeError:
    kind, _, subject = node.partition(":")
    if kind == "analyze":
        pair = subject.replace(":", ", ")
        return RecipeError(f"{figure}: [{pair}] aren't compared", place=place, remedy="add the pair to analyze.pairs")
    return RecipeError(
        f"{figure}: stage {subject or kind} isn't evaluated",
        place=place,
        remedy="set evaluate.tasks, and evaluate: true",
    )


def _calls(expression: str) -> Iterator[ast.Call]:
    for part in ast.walk(ast.parse(expression.strip(), mode="eval")):
        if isinstance(part, ast.Call):
            yield part


def _try(figures: Figures, expression: str, place: str) -> None:
    """Evaluates on a run in which nothing has happened: what is wrong with the expression itself shows."""
    with contextlib.suppress(NotRun, ZeroDivisionError):
        figures.evaluate(expression, place)


def _nothing_yet(recipe: Recipe) -> Results:
    read = TypeAdapter(RecipeFile).validate_python(recipe.model_dump(mode="json", by_alias=True))
    stages = {
        name: Stage(name, node.stage, node.parent, node.prompts_from, None) for name, node in recipe.pipeline.items()
    }
    return Results(recipe.run_directory, read, "", stages, {}, {}, {}, {})
