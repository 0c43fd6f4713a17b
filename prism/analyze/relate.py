"""Two changes between stages held against each other: direction, common elements, footprint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prism.analyze.weights import Asked, analyse, open_source, write_analysis
from prism.analyze.weights.footprint import footprint
from prism.megatron.layout import layout_of
from prism.megatron.parallel import is_first_rank, process_groups

if TYPE_CHECKING:
    from prism.recipe import Recipe

Change = tuple[str, str]
"""The stages before and after."""


def run_relation(recipe: Recipe, first: Change, second: Change) -> None:
    """Writes analysis/relations/<before>__<after>.<before>__<after>.json, in the form of `prism analyze footprint`.

    Raises:
        BadInput: an export is missing, or the stages hold different models.
    """
    output = recipe.run_directory / "analysis" / "relations" / f"{'__'.join(first)}.{'__'.join(second)}.json"
    stages = list(dict.fromkeys((*first, *second)))
    one, other = ((stages.index(before), stages.index(after)) for before, after in (first, second))
    asked = Asked((one, other), tuple(recipe.analyze.thresholds_percent), ((one, other),))
    with process_groups(layout_of(recipe.cluster), recipe.run.seed):
        if is_first_rank():
            sources = [open_source(str(recipe.stage_directory(stage) / "hf"), stage) for stage in stages]
            done = analyse(sources, asked, output)
            write_analysis(output, {**done.as_json(), "footprint": footprint(done).as_json()})
