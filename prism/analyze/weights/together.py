"""Which tensors of several checkpoints are compared, and why they can't be where they can't."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from prism.analyze.weights.sources import Source
from prism.errors import BadInput

_BUFFERS = ("rotary_emb.inv_freq",)
_HEAD = "lm_head.weight"
_SHOWN = 3
_LAYER = re.compile(r"\.layers\.(\d+)\.")


@dataclass(frozen=True)
class Together:
    """Names that all have, sorted, and what the user should know."""

    names: Sequence[str]
    notes: Sequence[str]


def together(sources: Sequence[Source]) -> Together:
    """Raises BadInput that names the first thing that keeps the sources from being compared."""
    first, *others = sources
    notes: list[str] = []
    for other in others:
        _compare_models(first, other)
    names = [{name for name in source.weights.names() if not name.endswith(_BUFFERS)} for source in sources]
    if any(_HEAD in found for found in names) and not all(_HEAD in found for found in names):
        lacking = [source for source, found in zip(sources, names, strict=True) if _HEAD not in found]
        if all(source.config.get("tie_word_embeddings") is True for source in lacking):
            notes.append(f"{lacking[0].name} shares its output layer with the embedding: {_HEAD} isn't compared")
            names = [found - {_HEAD} for found in names]
    for other, found in zip(others, names[1:], strict=True):
        for one, missing in ((first, found - names[0]), (other, names[0] - found)):
            if missing:
                _refuse_missing(one, other if one is first else first, missing)
    for other in others:
        _compare_shapes(first, other, sorted(names[0]))
        notes += _types(first, other, sorted(names[0]))
    if not names[0]:
        raise BadInput(
            "there are no tensors in it", place=str(first.weights.path), remedy="give the folder of a whole checkpoint"
        )
    return Together(sorted(names[0]), list(dict.fromkeys(notes)))


def _compare_models(one: Source, other: Source) -> None:
    kinds = [source.config.get("model_type") for source in (one, other)]
    if None not in kinds and kinds[0] != kinds[1]:
        raise BadInput(
            f"{one.name} is a {kinds[0]}, {other.name} a {kinds[1]}",
            place=str(other.weights.path),
            remedy="compare checkpoints of one model",
        )


def _refuse_missing(lacking: Source, having: Source, missing: set[str]) -> None:
    layers = {found[1] for name in missing if (found := _LAYER.search(name))}
    present = {found[1] for name in lacking.weights.names() if (found := _LAYER.search(name))}
    gone = sorted(map(int, layers - present))
    whole = (
        f"; of layers {', '.join(map(str, gone[:8]))}{' ...' if len(gone) > 8 else ''} it has nothing" if gone else ""
    )
    shown = ", ".join(sorted(missing)[:_SHOWN]) + (
        f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    )
    raise BadInput(
        f"{lacking.name} lacks {shown}, which {having.name} has{whole}",
        place=str(lacking.weights.path),
        remedy="compare checkpoints of one model; fetch or export again what isn't whole",
    )


def _compare_shapes(one: Source, other: Source, names: Sequence[str]) -> None:
    wrong = [
        f"{name} is {_by(old)} in {one.name}, {_by(new)} in {other.name}"
        for name in names
        if (old := one.weights.shape(name)) != (new := other.weights.shape(name))
    ]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise BadInput(
            "; ".join(wrong[:_SHOWN]) + more,
            place=str(other.weights.path),
            remedy="compare checkpoints of one model and one vocabulary",
        )


def _types(one: Source, other: Source, names: Sequence[str]) -> list[str]:
    kinds = sorted(
        {
            tuple(str(source.weights.dtype(name)).removeprefix("torch.") for source in (one, other))
            for name in names
            if one.weights.dtype(name) != other.weights.dtype(name)
        }
    )
    return [
        f"{one.name} is {old} where {other.name} is {new}: the wider is rounded, and rounding looks like change"
        for old, new in kinds
    ]


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
