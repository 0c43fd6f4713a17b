"""Is the training sound? Loss spikes, steps that were skipped, ranks that are slower than the others."""

from __future__ import annotations

import logging
import math
import statistics
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar

from prism.errors import PrismError
from prism.recipe.schema.operation import OperationConfig
from prism.train.callback import Callback, Training
from prism.train.stragglers import Stragglers

log = logging.getLogger("prism.train")

_MAD_TO_DEVIATION = 1.4826
_SMALLEST_DEVIATION = 0.005
"""As a share of the median, so that a loss that hardly moves doesn't make spikes of nothing."""
_FIRST_JUDGED = 16


class SpikeWatch:
    """Compares each loss with the latest ones by their median and their median absolute deviation (MAD).

    Both hardly notice the spike itself, and a loss that falls makes none: only what lies above counts.
    """

    def __init__(self, window: int, deviations: float) -> None:
        self._losses: deque[float] = deque(maxlen=window)
        self._deviations = deviations
        self._above = False

    def look(self, loss: float) -> str | None:
        """A note where a spike begins, None otherwise. A loss that isn't finite is no spike: the step is skipped."""
        if not math.isfinite(loss):
            return None
        note = self._judge(loss) if len(self._losses) >= _FIRST_JUDGED else None
        began, self._above = note is not None and not self._above, note is not None
        self._losses.append(loss)
        return note if began else None

    def state(self) -> dict[str, Any]:
        return {"losses": list(self._losses), "above": self._above}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._losses.clear()
        self._losses.extend(state["losses"])
        self._above = state["above"]

    def _judge(self, loss: float) -> str | None:
        median = statistics.median(self._losses)
        if loss <= median:
            return None
        mad = statistics.median(abs(other - median) for other in self._losses)
        deviation = max(_MAD_TO_DEVIATION * mad, _SMALLEST_DEVIATION * abs(median))
        distance = (loss - median) / deviation if deviation else math.inf
        if distance < self._deviations:
            return None
        return (
            f"loss spike: {loss:.3f} is {distance:.1f} robust standard deviations above {median:.3f}, "
            f"the median of the {len(self._losses)} steps before"
        )


class Health(Callback):
    """Adds `notes` to the row of a step at which something begins, and `timing.slow_ranks` while ranks are slow.

    Must be called after whoever says that a step was `skipped`. Needs `timing.data_wait` and `timing.seconds` for
    stragglers that wait for data.
    """

    name: ClassVar[str] = "health"

    def __init__(self, settings: OperationConfig) -> None:
        self._spikes = SpikeWatch(settings.spike_window, settings.spike_deviations)
        self._max_invalid = settings.max_invalid_steps
        self._stragglers = Stragglers(settings.straggler_every_steps, settings.straggler_factor)
        self._in_a_row = self._skipped = 0

    def begin(self, training: Training, step: int) -> None:
        self._stage = training.stage

    def after_step(self, step: int, row: dict[str, Any]) -> None:
        """Raises PrismError when too many steps in a row were skipped. Collective where stragglers are looked for."""
        notes = [note for note in (self._skip(step, row), self._spikes.look(row["loss"])) if note is not None]
        if notes:
            row["notes"] = [*row.get("notes", ()), *notes]
        slow = self._stragglers.after_step(step, row.get("timing", {}))
        if slow:
            row["timing"]["slow_ranks"] = slow
        for note in (*notes, *slow):
            log.warning("%s: step %d: %s", self._stage, step, note)
        if self._in_a_row >= self._max_invalid:
            raise PrismError(
                f"the gradients of {self._in_a_row} steps in a row weren't finite",
                place=f"{self._stage}, steps {step - self._in_a_row + 1} to {step}",
                remedy="lower optimizer.learning_rate, or look at the data of these steps; the last checkpoint is "
                "sound, since a skipped step changes no weight",
            )

    def state(self) -> dict[str, Any]:
        return {"spikes": self._spikes.state(), "skipped": self._skipped, "in_a_row": self._in_a_row}

    def restore(self, state: dict[str, Any]) -> None:
        self._spikes.restore(state["spikes"])
        self._skipped, self._in_a_row = state["skipped"], state["in_a_row"]

    def _skip(self, step: int, row: Mapping[str, Any]) -> str | None:
        if not row.get("skipped"):
            self._in_a_row = 0
            return None
        self._in_a_row += 1
        self._skipped += 1
        return (
            f"step skipped, its gradients aren't finite: {self._in_a_row} in a row (the stage stops at "
            f"{self._max_invalid}), {self._skipped} so far"
        )
