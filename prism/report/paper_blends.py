"""The paper's mixtures: weights and tokens as it states them, to be read next to what is planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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


TABLE_1 = {
    "dclm_edu": 111.46,
    "mot_math": 0.60,
    "nemotron_math": 35.93,
    "megamath_web_pro": 14.73,
    "mot_code": 1.18,
    "open_code_reasoning_2": 1.12,
    "refine_code": 186.44,
    "starcoder2": 432.73,
    "mot_science": 0.42,
    "openthoughts3_science": 0.73,
    "chat": 0.91,
}
"""Tokens with Granite-3.3's tokenizer, in billions."""

TABLE_17 = {"dclm_edu": 2.51, "nemotron_math": 5.08, "megamath_web_pro": 4.33, "starcoder2": 37.52, "codex": 3.86}
"""Tokens of the long-context stage after short samples were filtered out, in billions."""

FIGURE_2: Mapping[str, Mapping[str, float]] = {
    "math": {"dclm_edu": 15, "chat": 10, "megamath_web_pro": 55, "mot_math": 10, "nemotron_math": 10},
    "math_code": {
        "dclm_edu": 5,
        "chat": 5,
        "megamath_web_pro": 27.5,
        "mot_math": 10,
        "nemotron_math": 10,
        "mot_code": 5,
        "open_code_reasoning_2": 10,
        "refine_code": 13.75,
        "starcoder2": 13.75,
    },
    "math_code_science": {
        "dclm_edu": 5,
        "chat": 5,
        "megamath_web_pro": 20,
        "mot_math": 7,
        "nemotron_math": 10,
        "mot_code": 3,
        "open_code_reasoning_2": 10,
        "refine_code": 13.75,
        "starcoder2": 13.75,
        "openthoughts3_science": 7.75,
        "mot_science": 4.75,
    },
}
"""Sampling weights in percent."""

PAPER_BLENDS = (
    *(
        PaperBlend(
            name, f"mixtures/{name}.yaml", "stages/midtrain_paper.yaml", ("midtrain",),
            weights, "Figure 2", TABLE_1, "Table 1",
        )
        for name, weights in FIGURE_2.items()
    ),
    PaperBlend(
        "long_context",
        "mixtures/long_context.yaml",
        "stages/long_context_paper.yaml",
        ("long_context", "extend"),
        {name: 100 * tokens / sum(TABLE_17.values()) for name, tokens in TABLE_17.items()},
        "share of Table 17",
        TABLE_17,
        "Table 17",
    ),
)  # fmt: skip
