"""Runs one node in this process: `python -m prism.pipeline.node RUN_DIRECTORY NODE`, or in a fork."""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from data_prep.files import read_json, write_json
from prism.errors import Requeue
from prism.launch.child import die_with_parent
from prism.launch.leave import hold_warning, release_warning
from prism.launch.slurm.rank import rank_from_slurm
from prism.pipeline.budgets import blend_uses
from prism.recipe import Recipe, load_recipe
from prism.recipe.engines import trained_by_nemo
from prism.recipe.prompt_sets import prompt_sets

RECIPE_FILE = "recipe.yaml"
_SAVE_THEMSELVES = ("pretrain", "midtrain", "extend", "rl")
"""Kinds that take up the warning of their job's end; it ends others, which are started again."""


@dataclass(frozen=True)
class NodeResult:
    """How a node ended.

    error: the one line for the user, None when it is done or failed by surprise.
    sandbox: what contained model-written programs, None where none was run.
    """

    node: str
    exit_code: int
    seconds: float
    error: str | None = None
    sandbox: str | None = None


def run_node(run_directory: Path, name: str) -> int:
    """Does the node's work and leaves a NodeResult beside its log; returns the exit code.

    Errors don't leave this function: those for the user become a line, others a traceback in the log.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", force=True)
    began = time.monotonic()
    code, error = 0, None
    try:
        dispatch(load_recipe(run_directory / RECIPE_FILE), run_directory, name)
    except Exception as problem:
        code, error = _explain(problem)
    result = NodeResult(name, code, round(time.monotonic() - began, 3), error, _contained_by())
    write_json(result_file(run_directory, name), asdict(result))
    return code


def dispatch(recipe: Recipe, run_directory: Path, name: str) -> None:
    """Calls the room that does the node's work. Rooms are imported here, so that a node loads only its own."""
    kind, _, subject = name.partition(":")
    if name not in recipe.pipeline or recipe.pipeline[name].stage not in _SAVE_THEMSELVES:
        release_warning()
    if trained_by_nemo(recipe, name):  # before anything that NeMo's environment lacks
        from prism.nemo.training.run import run_nemo_training

        run_nemo_training(recipe, name)
        return
    if kind not in ("data", "prompts", "report"):
        from prism.kernels.select import demand
        from prism.score.sandbox import configure

        demand(**recipe.kernels.model_dump())
        configure(**recipe.sandbox.model_dump())
    if not subject and name in recipe.pipeline:
        _stage(recipe, name)
    elif kind == "data":
        _prepare(recipe)
    elif kind == "prompts":
        from data_prep.api import prepare_prompts

        prepare_prompts(prompt_sets(recipe), recipe.data.decontamination, recipe.data_directory)
    elif kind == "evaluate":
        from prism.evaluate import run_evaluation

        run_evaluation(recipe, subject)
    elif kind == "analyze":
        _analyze(recipe, subject.split(":"))
    elif kind == "landscape":
        from prism.analyze.landscape import run_recipe_landscape

        run_recipe_landscape(recipe)
    else:
        from prism.report import write_report

        write_report(run_directory)


def _analyze(recipe: Recipe, stages: Sequence[str]) -> None:
    """Args: stages: before and after; of two changes both."""
    if len(stages) == 4:
        from prism.analyze.relate import run_relation

        run_relation(recipe, (stages[0], stages[1]), (stages[2], stages[3]))
        return
    from prism.analyze.run import run_analysis

    run_analysis(recipe, *stages)


def _prepare(recipe: Recipe) -> None:
    """Tokenises the sources, packs them where a stage asks for it, and locks every blend at its largest budget."""
    from data_prep import api

    api.prepare(recipe.data, recipe.data_directory)
    for use in blend_uses(recipe):
        api.lock(
            recipe.data,
            recipe.data_directory,
            use.blend,
            use.tokens,
            recipe.run.seed,
            samples=use.samples,
            packing=use.packing,
        )


def _stage(recipe: Recipe, stage: str) -> None:
    match recipe.pipeline[stage].stage:
        case "pretrain" | "midtrain" | "extend":
            from prism.train import run_training

            run_training(recipe, stage)
        case "import":
            from prism.train import run_import

            run_import(recipe, stage)
        case "rl":
            from prism.rl import run_rl

            run_rl(recipe, stage)
        case "difficulty":
            from prism.rl import run_difficulty

            run_difficulty(recipe, stage)
        case "merge":
            from prism.longcontext.merge import run_merge

            run_merge(recipe, stage)


def result_file(run_directory: Path, name: str) -> Path:
    return run_directory / "logs" / f"{file_name(name)}.result.json"


def log_file(run_directory: Path, name: str) -> Path:
    return run_directory / "logs" / f"{file_name(name)}.log"


def file_name(node: str) -> str:
    """A node's name as part of a file name."""
    return node.replace(":", ".")


def read_result(run_directory: Path, name: str) -> NodeResult | None:
    """What the node left, None when it was killed before it could."""
    file = result_file(run_directory, name)
    return NodeResult(**read_json(file)) if file.exists() else None


def _contained_by() -> str | None:
    """The sandbox's tier, where this process has run programs."""
    tiers = sys.modules.get("prism.score.sandbox.tiers")
    state = tiers.used() if tiers is not None else None
    return None if state is None else str(state.tier)


def _explain(problem: Exception) -> tuple[int, str | None]:
    """Exit code and line for the user. The traceback goes to the log."""
    traceback.print_exception(problem)
    code = getattr(problem, "exit_code", None)
    if isinstance(code, int):
        return code, str(problem)
    if isinstance(problem, MemoryError):
        return 5, "memory ran out. Remedy: lower run.workers or the micro batch size"
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            5,
            f"{problem.filename or 'the run directory'}: the disk is full. Remedy: free space and run again",
        )
    return 1, None


def main() -> None:
    hold_warning()
    die_with_parent()
    rank_from_slurm()
    code = run_node(Path(sys.argv[1]), sys.argv[2])
    # ft_launcher starts a process that left with any other code again; the result says what became of it
    sys.exit(0 if code == Requeue.exit_code and os.environ.get("PRISM_RANKS") == "ft_launcher" else code)


if __name__ == "__main__":
    main()
