"""Metrics for MLflow."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from prism.train.callback import Training
from prism.train.trackers import flatten, tracking

_AT_ONCE = 20


class MlflowTracker:
    """A run in `mlflow/mlflow.db` of the stage's folder, or at MLFLOW_TRACKING_URI.

    Steps that the run has from before a resume aren't sent again.
    """

    def __init__(self, training: Training) -> None:
        mlflow = tracking("mlflow")
        self._entities: Any = mlflow.entities
        self._client: Any = mlflow.MlflowClient(_store(training))
        self._run = self._find(training)
        history = self._client.get_metric_history(self._run, "tokens")
        self._last = max((metric.step for metric in history), default=0)
        self._waiting: list[Any] = []
        self._rows = 0

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Sends a few steps at once."""
        if step <= self._last:
            return
        now = int(time.time() * 1_000)
        self._waiting += [self._entities.Metric(key, value, now, step) for key, value in scalars.items()]
        self._rows += 1
        if self._rows >= _AT_ONCE:
            self._send()

    def close(self) -> None:
        self._send()
        self._client.set_terminated(self._run)

    def _find(self, training: Training) -> str:
        """The stage's run; makes it where there is none."""
        name = training.recipe.run.name
        experiment = self._client.get_experiment_by_name(name)
        artifacts = (training.folder / "mlflow/artifacts").resolve().as_uri()
        number = experiment.experiment_id if experiment else self._client.create_experiment(name, artifacts)
        runs = self._client.search_runs([number], f"attributes.run_name = '{training.stage}'", max_results=1)
        if runs:
            self._client.update_run(runs[0].info.run_id, status="RUNNING")
            return str(runs[0].info.run_id)
        run = str(self._client.create_run(number, run_name=training.stage).info.run_id)
        settings = [
            self._entities.Param(key.replace("/", "."), str(value))
            for key, value in flatten(training.config.model_dump(mode="json"))
        ]
        self._client.log_batch(run, params=settings)
        return run

    def _send(self) -> None:
        # A call takes 1,000 metrics at most.
        for start in range(0, len(self._waiting), 1_000):
            self._client.log_batch(self._run, metrics=self._waiting[start : start + 1_000])
        self._waiting, self._rows = [], 0


def _store(training: Training) -> str:
    elsewhere = os.environ.get("MLFLOW_TRACKING_URI")
    if elsewhere:
        return elsewhere
    folder = (training.folder / "mlflow").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}"
