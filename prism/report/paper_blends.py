"""The paper's mixtures: weights and tokens as it states them, to be read next to what is planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prism.paper import mixtures


@dataclass(frozen=True)
class PaperBlend:
    """`weights` in percent and `tokens` in billions by source, each with the place where the paper has them.

    `fragment` and `stage` are packaged fragments of recipes, `section` the training section of `stage`.
    """

    name: str
    fragment: str
    stage: str
    section: tuple[str, ...]
    weights: Mapping[str, float]
    weights_from: str
    tokens: Mapping[str, float]
    tokens_from: str


_MIXTURES = mixtures()
_LONG = _MIXTURES.long_context_tokens

PAPER_BLENDS = (
    *(
        PaperBlend(
            name, f"mixtures/{name}.yaml", "stages/midtrain_paper.yaml", ("midtrain",),
            weights, "Figure 2", _MIXTURES.tokens.sources, f"Table {_MIXTURES.tokens.table}",
        )
        for name, weights in _MIXTURES.weights.items()
    ),
    PaperBlend(
        "long_context",
        "mixtures/long_context.yaml",
        "stages/long_context_paper.yaml",
        ("long_context", "extend"),
        {name: 100 * tokens / sum(_LONG.sources.values()) for name, tokens in _LONG.sources.items()},
        f"share of Table {_LONG.table}",
        _LONG.sources,
        f"Table {_LONG.table}",
    ),
)  # fmt: skip
