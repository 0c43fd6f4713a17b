"""Which steps a source goes through, in order."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datatrove.pipeline.base import PipelineStep

from data_prep.decontaminate import Decontaminate, PreparedIndex
from data_prep.read import Unit, plan_units
from data_prep.sampling import Draw
from data_prep.schema import SourceConfig
from data_prep.sources.catalog import part_configs
from data_prep.steps.rows import DrawRows, JoinRows, KeepRows, ReadRows, Render


@dataclass(frozen=True)
class SourcePlan:
    """A source with its parts' settings and the units that its files are cut into."""

    name: str
    config: SourceConfig
    parts: Mapping[str, SourceConfig]
    units: tuple[Unit, ...]


def plan_source(name: str, config: SourceConfig, directory: Path) -> SourcePlan:
    """Raises DataError when a part has no file, or one that can't be opened."""
    parts = part_configs(config, name)
    units: list[Unit] = []
    for part, settings in parts.items():
        units += plan_units(part, settings, directory, first=len(units))
    return SourcePlan(name, config, parts, tuple(units))


def rows_to_draw(plan: SourcePlan) -> list[PipelineStep]:
    """Rows that a draw chooses from."""
    steps: list[PipelineStep] = [ReadRows(plan.parts, plan.units)]
    if any(config.keep for config in plan.parts.values()):
        steps.append(KeepRows(plan.parts))
    if any(config.join is not None for config in plan.parts.values()):
        steps.append(JoinRows(plan.parts))
    return steps


def documents(
    plan: SourcePlan, draws: Mapping[str, Draw], questions: PreparedIndex | None, reports: Path | None
) -> list[PipelineStep]:
    """Rows to documents. `questions` is the decontamination index; what it drops is reported to `reports`."""
    steps = rows_to_draw(plan)
    if draws:
        steps.append(DrawRows(plan.parts, draws))
    steps.append(Render(plan.parts))
    if questions is not None and reports is not None and plan.config.decontaminate:
        steps.append(Decontaminate(questions, reports))
    return steps


def is_held_out(text: str, share: float) -> bool:
    """Whether a document is kept out of training: a stable hash of its text decides."""
    return zlib.crc32(text.encode()) / 2**32 < share


def training_texts(plan: SourcePlan) -> Iterator[str]:
    """Texts that a tokenizer is trained on: all rows that are kept, but for those held out."""
    for unit in plan.units:
        stream = None
        for step in documents(plan, {}, None, None):
            stream = step.run(stream, unit.number, len(plan.units))
        for document in stream or ():
            if not is_held_out(document.text, plan.config.holdout):
                yield document.text
