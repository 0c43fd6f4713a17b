"""Where a stage's metrics go besides metrics.jsonl: TensorBoard always, Weights & Biases and MLflow where asked for."""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, ClassVar, Protocol

from prism.errors import UsageError
from prism.megatron.parallel import is_first_rank
from prism.recipe.schema.operation import OperationConfig
from prism.train.callback import Callback, Training
from prism.train.event_file import EventFile

log = logging.getLogger("prism.train")


class Tracker(Protocol):
    """Takes the scalars of each step, in order."""

    def add(self, step: int, scalars: Mapping[str, float]) -> None: ...

    def close(self) -> None:
        """Writes what it holds back."""


class Trackers(Callback):
    """Sends every row's numbers to the trackers, on the first rank. Comes after whoever adds to rows.

    A tracker that fails later on (a full disk, no network) is left out from then on; the training goes on.
    """

    name: ClassVar[str] = "trackers"

    def __init__(self, settings: OperationConfig) -> None:
        self._names = settings.trackers
        self._open: list[Tracker] = []

    def begin(self, training: Training, step: int) -> None:
        """Raises UsageError when a tracker isn't installed."""
        if not is_first_rank():
            return
        for name in self._names:
            self._open.append(_OPEN[name](training, step))
        self._open.append(EventFile(training.folder / "tensorboard", step + 1))

    def after_step(self, step: int, row: dict[str, Any]) -> None:
        if self._open:
            scalars = dict(flatten(row))
            for tracker in list(self._open):
                try:
                    tracker.add(step, scalars)
                except Exception as problem:
                    log.warning("step %d: %s gets no more metrics: %r", step, type(tracker).__name__, problem)
                    self._open.remove(tracker)
                    with contextlib.suppress(Exception):
                        tracker.close()

    def end(self) -> None:
        while self._open:
            tracker = self._open.pop()
            try:
                tracker.close()
            except Exception as problem:
                log.warning("%s didn't get the last metrics: %r", type(tracker).__name__, problem)


def flatten(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The row's numbers by name, such as `loss_by_source/general`; the step, texts and lists are left out."""
    for key, value in row.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and (prefix or key != "step"):
            yield f"{prefix}{key}", float(value)


def tracking(package: str) -> ModuleType:
    """A package of the extra `tracking`.

    Raises:
        UsageError: it isn't installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as absent:
        raise UsageError(
            f"{package} can't be imported ({absent})",
            place="run.operation.trackers",
            remedy='pip install "prism-megatron[tracking]", or take it out of the list',
        ) from absent


def _wandb(training: Training, step: int) -> Tracker:
    from prism.train.wandb_tracker import WandbTracker

    return WandbTracker(training)


def _mlflow(training: Training, step: int) -> Tracker:
    from prism.train.mlflow_tracker import MlflowTracker

    return MlflowTracker(training)


_OPEN: dict[str, Callable[[Training, int], Tracker]] = {"wandb": _wandb, "mlflow": _mlflow}
