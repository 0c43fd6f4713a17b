"""What happened in a stage that decides what comes after: changes of blend. Kept in checkpoints, replayed on resume."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.files import write_json
from prism.megatron.parallel import is_first_rank

if TYPE_CHECKING:
    from data_prep.schema import RunSamples
    from prism.recipe import MidtrainConfig


@dataclass(frozen=True)
class Switch:
    """After step `step` the samples come from `blend`."""

    step: int
    blend: str
    reason: str


class Events:
    """A stage's events so far, oldest first; `file` is what the manifest takes note of."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._switches: list[Switch] = []

    def restore(self, plain: Iterable[Mapping[str, Any]]) -> None:
        """Takes back what a checkpoint kept; later events are forgotten, since their steps run again."""
        self._switches = [Switch(**event) for event in plain]
        self._write()

    def plain(self) -> list[dict[str, Any]]:
        """For the checkpoint."""
        return [asdict(switch) for switch in self._switches]

    def switch(self, step: int, blend: str, reason: str) -> None:
        """Takes note of a change of blend after step `step`."""
        self._switches.append(Switch(step, blend, reason))
        self._write()

    def samples(self, config: MidtrainConfig) -> RunSamples:
        """What the stage asks of the data: the recipe's blends, until an event took another for the rest."""
        planned = config.run_samples
        blends = list(planned.blends)
        for switch in self._switches:
            first = switch.step * config.global_batch_size
            blends = [(start, blend) for start, blend in blends if start < first]
            if first < planned.samples:
                blends.append((first, switch.blend))
        return planned.model_copy(update={"blends": tuple(blends)})

    def _write(self) -> None:
        if is_first_rank() and (self._switches or self._file.exists()):
            write_json(self._file, self.plain())
