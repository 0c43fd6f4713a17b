"""Compares two stages of a recipe: weights and representations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_prep.files import write_json
from prism.analyze.hidden import hidden_states, input_texts
from prism.analyze.representations import SCHEMA_VERSION, Represented, compare
from prism.analyze.weights import Asked, analyse, open_source, write_analysis
from prism.evaluate.subject import stage_subject
from prism.megatron.layout import layout_of
from prism.megatron.parallel import is_first_rank, process_groups

if TYPE_CHECKING:
    from pathlib import Path

    from prism.recipe import Recipe


def run_analysis(recipe: Recipe, before: str, after: str) -> None:
    """Writes analysis/weights/<before>__<after>.json and analysis/cka/<before>__<after>.json.

    Raises:
        BadInput: a checkpoint, its export or an input set is missing, or the stages hold different models.
    """
    folder, name = recipe.run_directory / "analysis", f"{before}__{after}.json"
    settings = recipe.analyze.cka
    with process_groups(layout_of(recipe.cluster), recipe.run.seed):
        if is_first_rank():
            _compare_weights(recipe, before, after, folder / "weights" / name)
        texts = {part: input_texts(recipe.resolve(path), settings.inputs) for part, path in settings.sets.items()}
        one, other = (
            Represented.of(stage, hidden_states(stage_subject(recipe, stage), texts, folder / "hidden", stage))
            for stage in (before, after)
        )
        if is_first_rank():
            found = compare(one, other, settings.resamples, recipe.run.seed)
            write_json(folder / "cka" / name, {"schema_version": SCHEMA_VERSION, **found})


def _compare_weights(recipe: Recipe, before: str, after: str, output: Path) -> None:
    """What is finished when it is killed is kept beside `output`."""
    sources = [open_source(str(recipe.stage_directory(stage) / "hf"), stage) for stage in (before, after)]
    done = analyse(sources, Asked(((0, 1),), tuple(recipe.analyze.thresholds_percent)), output)
    write_analysis(output, done.comparisons[0].as_json())
