"""The retention gate: looks at base skill while a stage trains, and acts when it is lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from data_prep import api as data
from data_prep.files import fingerprint
from prism.errors import BadInput, GateRefused
from prism.megatron.agreement import on_any_rank
from prism.megatron.layout import layout_of
from prism.recipe.retention_checks import DEAREST_SHARE
from prism.train.callback import Callback, Training
from prism.train.retention.bounds import Bounds, SequentialBounds
from prism.train.retention.degradation import Floats
from prism.train.retention.measures import Measure, read_measures
from prism.train.retention.meter import Meter

if TYPE_CHECKING:
    from prism.recipe import RetentionConfig

log = logging.getLogger("prism.train")


class RetentionGate(Callback):
    """Every so many steps, and after the last, adds `retention` to the row, and acts on a loss beyond tolerance.

    Before the first step it measures the model that the stage starts from: what every later look is compared with. (A
    stage that starts from no other has nothing to retain; there the gate does nothing.) A measure's loss is shown when
    the lower bound of its degradation lies above its limit: the tolerance and what is left of the transient. Where the
    measure has led to a change of blend, the least that was lost at a look since then, plus the tolerance, is allowed.
    """

    name: ClassVar[str] = "retention"

    def __init__(self, vocabulary: data.Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._saved: dict[str, Any] | None = None
        self._settings: RetentionConfig | None = None

    def begin(self, training: Training, step: int) -> None:
        """Raises RecipeError when there is nothing to measure, BadInput when the items aren't those of before."""
        starts_from = training.recipe.pipeline[training.stage].parent
        self._training, self._settings = training, training.config.retention if starts_from else None
        if self._settings is None:
            return
        self._began, self._own_s = time.perf_counter(), 0.0
        config, recipe = training.config, training.recipe
        self._looks = self._settings.looks(config.steps)
        self._measures = read_measures(recipe, training.stage, self._vocabulary)
        self._items = fingerprint([[list(one.tokens) for one in m.passages] for m in self._measures.values()])
        self._meter = Meter(
            self._measures,
            config.micro_batch_size * config.sequence_length,
            config.sequence_length,
            layout_of(recipe.cluster_config(training.stage)),
        )
        self._raised: dict[str, float] = {}
        self._switched: int | None = None
        self._good = 0
        if self._saved is None:
            self._begin_anew(step)
        else:
            self._go_on(self._saved)
        self._say_cost()
        self._own_s += time.perf_counter() - self._began

    def after_step(self, step: int, row: dict[str, Any]) -> None:
        """Raises GateRefused when the recipe says stop."""
        if self._settings is None or step not in self._looks:
            return
        began = time.perf_counter()
        now = self._meter.scores(self._training.trainee)
        changes = {name: measure.lost(self._baseline[name], now[name]) for name, measure in self._measures.items()}
        time_done = step / self._training.config.steps
        bounds = self._bounds.look(time_done, changes)
        limits = self._limits(time_done)
        row["retention"] = {
            name: _row(measure, self._baseline[name], now[name], bounds[name], limits[name])
            for name, measure in self._measures.items()
        }
        if all(bounds[name].estimate <= limit for name, limit in limits.items()):
            self._good = step
        over = [name for name, limit in limits.items() if bounds[name].low > limit]
        for name, raised in self._raised.items():
            self._raised[name] = min(raised, bounds[name].estimate + self._measures[name].tolerance)
        self._own_s += time.perf_counter() - began
        row.setdefault("timing", {})["retention"] = self._cost()
        if on_any_rank(bool(over)):
            self._act(step, over, bounds, limits)

    def state(self) -> dict[str, Any]:
        if self._settings is None:
            return {}
        return {
            "items": self._items,
            "baseline": {name: scores.tolist() for name, scores in self._baseline.items()},
            "crossed": self._bounds.state(),
            "raised": self._raised,
            "switched": self._switched,
            "good": self._good,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._saved = state

    def _begin_anew(self, step: int) -> None:
        if step:
            raise BadInput(
                f"the checkpoint of step {step} was saved without a retention gate: its start is unknown",
                place=str(self._training.folder),
                remedy="remove the stage's folder and run it again, or leave retention out",
            )
        self._baseline = self._meter.scores(self._training.trainee)
        self._bounds = self._open_bounds()
        figures = [f"{name} {m.value(self._baseline[name]):.4g}" for name, m in self._measures.items()]
        log.info("retention: the stage starts at %s", ", ".join(figures))

    def _go_on(self, state: Mapping[str, Any]) -> None:
        if state["items"] != self._items:
            raise BadInput(
                "the retention gate's documents or questions aren't those that the stage began with",
                place=str(self._training.folder),
                remedy="put the files back, or remove the stage's folder and run it again",
            )
        self._baseline = {name: np.array(scores) for name, scores in state["baseline"].items()}
        self._bounds = self._open_bounds()
        self._bounds.restore(state["crossed"])
        self._raised = {name: float(limit) for name, limit in state["raised"].items()}
        self._switched, self._good = state["switched"], state["good"]

    def _open_bounds(self) -> SequentialBounds:
        assert self._settings is not None
        sizes = {name: len(scores) for name, scores in self._baseline.items()}
        return SequentialBounds(sizes, self._settings.false_alarm_rate, self._settings.spending)

    def _limits(self, time_done: float) -> dict[str, float]:
        """What each measure may have lost when this share of the steps is done."""
        planned = {name: one.tolerance + one.transient * (1 - time_done) for name, one in self._measures.items()}
        return {name: max(limit, self._raised.get(name, limit)) for name, limit in planned.items()}

    def _act(self, step: int, over: list[str], bounds: Mapping[str, Bounds], limits: Mapping[str, float]) -> None:
        assert self._settings is not None
        settings, last = self._settings, step == self._training.config.steps
        message = f"{self._training.stage}: {self._describe(over, bounds, limits)} at step {step}"
        action = settings.action
        if action == "switch" and (self._switched is not None or last):
            action = settings.after_switch
        if action == "warn":
            log.warning("retention: %s", message)
        elif action == "stop":
            self._stop(message)
        else:
            assert settings.switch_to is not None
            self._switched = step
            self._raised |= {name: bounds[name].estimate + self._measures[name].tolerance for name in over}
            self._training.switch_blend(step, settings.switch_to, message)

    def _stop(self, message: str) -> None:
        back = self._training.back_to(self._good)
        where = f"the stage is back at step {back}" if back is not None else "the stage has no checkpoint before that"
        raise GateRefused(
            f"{message}; {where}",
            place=str(self._training.folder / "metrics.jsonl"),
            remedy="put more general data into the blend, lower the learning rate, or set retention.action to switch; "
            "retention.action warn goes on, and allows the loss",
        )

    def _describe(self, over: list[str], bounds: Mapping[str, Bounds], limits: Mapping[str, float]) -> str:
        assert self._settings is not None
        sure = 100 * (1 - self._settings.false_alarm_rate)
        parts = []
        for name in over:
            unit, seen = self._measures[name].unit, bounds[name]
            parts.append(
                f"{name} is worse by {seen.estimate:.2f}{unit} (at least {seen.low:.2f}, {sure:g}% sure over all "
                f"looks; allowed {limits[name]:.2f})"
            )
        return " and ".join(parts)

    def _cost(self) -> dict[str, float]:
        """Own seconds since the stage began or resumed, and what share of all its seconds that is."""
        return {
            "seconds": round(self._own_s, 3),
            "share": round(self._own_s / (time.perf_counter() - self._began), 4),
        }

    def _say_cost(self) -> None:
        """A forward pass is a third of a training step's work."""
        assert self._settings is not None
        config = self._training.config
        trained = config.global_batch_size * config.sequence_length * self._settings.interval(config.steps)
        percent = 100 * self._meter.tokens / 3 / trained
        log.info("retention: %d looks of %d tokens, %.1f%% of the work", len(self._looks), self._meter.tokens, percent)
        if percent > 100 * DEAREST_SHARE:
            log.warning("retention: looks are dear (%.1f%%): raise every_steps, or read fewer items", percent)


def _row(measure: Measure, before: Floats, now: Floats, bounds: Bounds, limit: float) -> dict[str, Any]:
    """degradation, low, high, limit in the measure's unit; low and high null where the test can't say yet."""
    verdict = "lost" if bounds.low > limit else "kept" if bounds.high <= limit else "open"
    return {
        "start": measure.value(before),
        "now": measure.value(now),
        "figure": measure.figure,
        "degradation": bounds.estimate,
        "low": bounds.low if np.isfinite(bounds.low) else None,
        "high": bounds.high if np.isfinite(bounds.high) else None,
        "limit": limit,
        "verdict": verdict,
    }
