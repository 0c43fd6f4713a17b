"""Which pairs of stages the weight tables compare, and whether the paper's figures can stand beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prism.report.reading import Artifact
from prism.report.tables.subject import MIXES, ROUNDED, Role, Subject
from prism.report.tables.table import Cell
from prism.report.weight_shapes import Change, WeightComparison

Step = Literal["base_to_mid", "mid_to_rl", "base_to_rl"]
STEPS: Mapping[str, str] = {"base_to_mid": "Base to MT", "mid_to_rl": "MT to RL", "base_to_rl": "Base to RL (no MT)"}
BF16_ONLY = (
    "Not compared: the paper's weights are bf16, the run's {dtype}. bf16 rounds small changes away, which leaves more "
    "elements unchanged."
)

OF_ROUNDED = "The run's fp32 weights were rounded to bf16 before they were compared, as the paper's exports are."


@dataclass(frozen=True)
class Pair:
    """Two stages. `step`: what the paper calls it, None for a pair that it doesn't have."""

    before: str
    after: str
    step: Step | None
    midtrain: str

    @property
    def title(self) -> str:
        """Base to MT (base, mid)."""
        stages = f"{self.before}, {self.after}"
        return f"{STEPS[self.step] if self.step is not None else 'other'} ({stages})"

    @property
    def mix(self) -> str:
        """The mixture of mid-training, as the paper abbreviates it."""
        return MIXES.get(self.midtrain, self.midtrain)


def pairs(subject: Subject) -> list[Pair]:
    """Pairs that the paper's pipeline has along the main chain or that were compared; these first, then other ones."""
    chain = subject.results.main_chain()
    known: dict[tuple[str, str], Pair] = {}
    for role in subject.stages("mid", "rl"):
        pair = _pair(role)
        if pair is None:
            continue
        wanted = role.stage in chain or pair.step == "base_to_rl"
        if wanted or subject.weights(pair.before, pair.after) is not None:
            known[pair.before, pair.after] = pair
    ordered = sorted(known.values(), key=lambda pair: list(STEPS).index(pair.step) if pair.step else len(STEPS))
    others = [Pair(*names, None, "none") for names in sorted(subject.results.weights) if names not in known]
    return [*ordered, *others]


def _pair(role: Role) -> Pair | None:
    if not role.like_paper or role.base is None:
        return None
    if role.kind == "mid":
        return Pair(role.base, role.stage, "base_to_mid", role.midtrain)
    if role.mid is None:
        return Pair(role.base, role.stage, "base_to_rl", "none")
    return Pair(role.mid, role.stage, "mid_to_rl", role.midtrain)


def why_not_compared(comparison: WeightComparison | None) -> str | None:
    """Why the paper's figures can't be subtracted; None where they can, or where there is nothing to subtract from."""
    if comparison is None or comparison.dtype in ("bfloat16", ROUNDED):
        return None
    return BF16_ONLY.format(dtype=comparison.dtype or "of unknown type")


def how_taken(subject: Subject) -> tuple[str, ...]:
    """A note where the run's figures are of weights that were rounded for the comparison."""
    rounded = any(one.in_bf16 is not None for one in subject.results.weights.values())
    return (OF_ROUNDED,) if rounded else ()


def artifact(subject: Subject, pair: Pair) -> tuple[Artifact, ...]:
    """The file that holds a pair's figures, where there is one."""
    if subject.weights(pair.before, pair.after) is None:
        return ()
    return (subject.artifact(f"analysis/weights/{pair.before}__{pair.after}.json"),)


def missing(pair: Pair) -> Cell:
    """A figure that the run doesn't have."""
    return Cell(
        notes=(
            f"Not measured: `prism analyze RECIPE --stage {pair.after}`, with [{pair.before}, {pair.after}] in "
            "analyze.pairs.",
        )
    )


def unchanged(change: Change | None, threshold: float) -> float | None:
    """Percent of elements unchanged at a threshold in percent."""
    return change.unchanged_percent.get(threshold) if change is not None else None
