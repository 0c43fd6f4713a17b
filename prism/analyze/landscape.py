"""The pass-rate landscape between a base model, its mid-trained model and the RL model (paper section 10).

    W(alpha, beta) = W_base + alpha (W_mid - W_base) + beta (W_rl - W_mid)

The path is beta = 0 with alpha from 0 to 1, then alpha = 1 with beta from 0 to 1; the plane is every alpha with every
beta. The sum is taken as (1 - alpha) W_base + (alpha - beta) W_mid + beta W_rl, in which the chain's own models are
themselves bit for bit, and they score what `prism eval` finds of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.files import fingerprint, read_json, write_json
from prism.errors import BadInput, UsageError
from prism.evaluate.runner import evaluate_tasks
from prism.evaluate.subject import Subject, stage_subject
from prism.evaluate.task import AnyTask, GenerateTask, load_task
from prism.megatron.checkpoint import Interpolation
from prism.megatron.checkpoint.ranks import is_first
from prism.megatron.layout import layout_of
from prism.megatron.parallel import process_groups

if TYPE_CHECKING:
    from prism.generate.megatron import MegatronLanguageModel
    from prism.recipe import Recipe

log = logging.getLogger("prism.analyze")
SCHEMA_VERSION = 1

Point = tuple[float, float]
"""Alpha and beta."""


@dataclass(frozen=True)
class Grid:
    """points: values of alpha and of beta, 0 and 1 among them. plane: all pairs of them, else the path alone."""

    points: int = 5
    plane: bool = True

    def values(self) -> list[float]:
        return [number / (self.points - 1) for number in range(self.points)]

    def path(self) -> list[Point]:
        values = self.values()
        return [*((alpha, 0.0) for alpha in values), *((1.0, beta) for beta in values[1:])]

    def all(self) -> list[Point]:
        """The path first: what it shares with the plane is computed once."""
        plane = [(alpha, beta) for alpha in self.values() for beta in self.values()] if self.plane else []
        return list(dict.fromkeys([*self.path(), *plane]))


def coefficients(alpha: float, beta: float) -> tuple[float, float, float]:
    """Of base, mid-trained and RL weights in their sum."""
    return 1 - alpha, alpha - beta, beta


def asked_task(name: str, limit: int | None, samples: int | None) -> AnyTask:
    """A task with fewer prompts, and another number of responses.

    Raises:
        RecipeError: there is no such task.
        UsageError: responses are counted of a task that has none.
    """
    task = load_task(name)
    if limit is not None and (task.limit is None or limit < task.limit):
        task = task.model_copy(update={"limit": limit})
    if samples is None:
        return task
    if not isinstance(task, GenerateTask):
        raise UsageError(f"task {name} isn't sampled", place="samples", remedy="leave the number of samples out")
    return task.model_copy(update={"samples": samples})


def run_recipe_landscape(recipe: Recipe) -> None:
    """Writes analysis/landscape.json. Raises as `run_landscape`."""
    config = recipe.analyze.landscape
    assert config is not None  # the node is there because of it
    task = asked_task(config.task, config.limit, config.samples)
    with process_groups(layout_of(recipe.cluster), recipe.run.seed):
        chain = [stage_subject(recipe, stage) for stage in config.chain]
        output = recipe.run_directory / "analysis" / "landscape.json"
        run_landscape(chain, config.chain, task, Grid(config.points, config.plane), output)


def run_landscape(chain: Sequence[Subject], names: Sequence[str], task: AnyTask, grid: Grid, output: Path) -> None:
    """Evaluates every point and writes `output` anew after each. Call it inside process groups, on all ranks.

    Results and samples of a point are in `points_folder(output)`, a folder each; a call that was interrupted goes on
    there, point by point and within a point with the prompts whose batch isn't done.

    Args:
        chain: base, mid-trained, RL.
        names: what the file calls them.

    Raises:
        BadInput: the models differ in more than weights, a checkpoint is damaged or holds NaN, the task's data is
            missing, or no prompt fits.
    """
    _refuse_different(chain, names)
    weights = _Weights(chain)
    head = {
        "schema_version": SCHEMA_VERSION,
        "chain": list(names),
        "checkpoints": [one.identity for one in chain],
        "task": task.name,
        "version": task.version,
        "kind": task.kind,
        "settings": task.model_dump(exclude={"name", "version", "kind", "description"}),
        "values": grid.values(),
        "plane": grid.plane,
    }
    wanted, path, rows = grid.all(), grid.path(), []
    for number, (alpha, beta) in enumerate(wanted, start=1):
        began = time.monotonic()
        folder = points_folder(output) / f"alpha_{alpha:.4f}_beta_{beta:.4f}"
        evaluate_tasks(weights.at(alpha, beta), [task], folder)
        if not is_first():
            continue
        found = _result(folder / f"{task.name}.json", task)
        rows.append({"alpha": alpha, "beta": beta, "on_path": (alpha, beta) in path, **found})
        metric = next(iter(found["metrics"]))
        write_json(output, {**head, "metric": metric, "complete": number == len(wanted), "points": rows})
        log.info("landscape: %d of %d points, %.1f s", number, len(wanted), time.monotonic() - began)


def points_folder(output: Path) -> Path:
    return output.with_name(f"{output.stem}.points")


class _Weights:
    """One model, built when a point first needs it, that takes the weights of each point in turn."""

    def __init__(self, chain: Sequence[Subject]) -> None:
        self._chain = chain
        self._model: MegatronLanguageModel | None = None
        self._interpolation: Interpolation | None = None

    def at(self, alpha: float, beta: float) -> Subject:
        """The point as something to evaluate, by the base's tokenizer and data."""
        identities = [one.identity for one in self._chain]
        return replace(
            self._chain[0],
            name=f"alpha {alpha:g} beta {beta:g}",
            identity=fingerprint([identities, alpha, beta]),
            load=partial(self._load, coefficients(alpha, beta)),
        )

    def _load(self, shares: tuple[float, float, float]) -> MegatronLanguageModel:
        if self._model is None or self._interpolation is None:
            sources = [one.weights() for one in self._chain if one.weights is not None]
            model: MegatronLanguageModel = self._chain[0].load()
            self._model, self._interpolation = model, Interpolation(sources, model.chunk)
        self._interpolation.put(shares)
        return self._model


def _refuse_different(chain: Sequence[Subject], names: Sequence[str]) -> None:
    for one, name in zip(chain[1:], names[1:], strict=True):
        own, other = _architecture(chain[0]), _architecture(one)
        differing = [f"{key} is {own[key]} and {other[key]}" for key in own if own[key] != other[key]]
        if chain[0].contract.identity != one.contract.identity:
            differing.append("their tokenizers differ")
        if differing:
            raise BadInput(
                f"{names[0]} and {name} can't be interpolated: {'; '.join(differing[:3])}",
                place=name,
                remedy="give three checkpoints of one training chain",
            )


def _architecture(subject: Subject) -> dict[str, Any]:
    """What a forward pass depends on beside the weights, defaults written out."""
    model = subject.model
    assert model is not None  # a server's weights can't be had
    return {
        **model.model_dump(exclude={"initialisation", "vocab_size"}),
        "num_query_groups": model.num_query_groups or model.num_attention_heads,
        "head_dim": model.head_dim or model.hidden_size // model.num_attention_heads,
    }


def _result(path: Path, task: AnyTask) -> dict[str, Any]:
    """The main metric of a point, a task's first, with its interval; and all of them."""
    if not path.is_file():
        raise BadInput(
            f"task {task.name} couldn't run", place=str(path), remedy="see the warning above; bring the task's data"
        )
    result = read_json(path)
    metrics: dict[str, Any] = result["metrics"]
    if not metrics:
        raise BadInput(
            f"every prompt of {task.name} is longer than the model's context",
            place=str(path),
            remedy="take a task with shorter prompts",
        )
    counts = {key: result[key] for key in ("prompts", "skipped_too_long", "seconds")}
    return {**next(iter(metrics.values())), "metrics": metrics, **counts}
