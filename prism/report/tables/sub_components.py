"""Table 23: share of elements that changed, by sub-component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prism.paper import paper_table
from prism.report.tables import changes, columns
from prism.report.tables.beside import CONTEXT
from prism.report.tables.changes import Pair
from prism.report.tables.columns import Series
from prism.report.tables.subject import LEGEND, Subject
from prism.report.tables.table import Cell, Table
from prism.report.weight_shapes import Change, WeightComparison

NUMBER = 23
_LABELS = {
    "attention.q": "Attn: Q",
    "attention.k": "Attn: K",
    "attention.v": "Attn: V",
    "attention.o": "Attn: O",
    "mlp.gate": "MLP: gate",
    "mlp.up": "MLP: up",
    "mlp.down": "MLP: down",
    "mamba.in_proj": "Mamba: in_proj",
    "mamba.out_proj": "Mamba: out_proj",
    "mamba.conv1d": "Mamba: conv1d",
    "mamba.a_dt": "Mamba: A/dt",
    "embedding_output": "Embed/LM-head",
    "norm": "Norm",
}
_POOLED = {"mamba.a_dt": ("mamba.A", "mamba.dt"), "embedding_output": ("embedding", "output")}
"""Parts of ours that the paper prints as one."""


def sub_component_table(subject: Subject) -> Table:
    """The paper's sub-components that the run's model or the paper's have."""

    def read(pair: Pair) -> Mapping[str, Cell]:
        comparison = subject.weights(pair.before, pair.after)
        if comparison is None:
            return dict.fromkeys(_LABELS, changes.missing(pair))
        sources = changes.artifact(subject, pair)
        shares = {name: _changed(comparison, _POOLED.get(name, (name,))) for name in _LABELS}
        return {name: Cell(share, sources=sources) for name, share in shares.items() if share is not None}

    compared = columns.series(subject, NUMBER, read)
    made = [*compared, *_deltas(compared), *columns.context(subject, NUMBER)]
    present = {name: label for name, label in _LABELS.items() if any(_is_there(one, name) for one in made)}
    return Table(
        NUMBER,
        paper_table(NUMBER).title,
        ("Sub-component",),
        columns.heads(made),
        columns.rows(present or _LABELS, made),
        (
            "Percent of the elements whose relative change is 1% or more.",
            "Delta: RL from the base model less RL after mid-training, in points.",
            *changes.how_taken(subject),
            LEGEND,
            *((CONTEXT,) if subject.model is None else ()),
        ),
    )


def _is_there(one: Series, name: str) -> bool:
    cell = one.cells.get(name)
    return cell is not None and cell.value is not None


def _changed(comparison: WeightComparison, parts: Sequence[str]) -> float | None:
    """Percent of the parts' elements that changed by 1% or more; a single part needs no number of elements."""
    found = [comparison.by_sub_component[part] for part in parts if part in comparison.by_sub_component]
    shares = [(changes.unchanged(change, 1.0), _elements(change, len(found))) for change in found]
    known = [(share, elements) for share, elements in shares if share is not None and elements is not None]
    total = sum(elements for _, elements in known)
    if not total or len(known) < len(found):
        return None
    return 100 - sum(share * elements for share, elements in known) / total


def _elements(change: Change, parts: int) -> int | None:
    return change.elements if change.elements is not None or parts > 1 else 1


def _deltas(made: Sequence[Series]) -> list[Series]:
    """The run's and the paper's difference between both starting points of RL, where there is one of each."""
    found = []
    for origin in ("run", "paper"):
        own = [one for one in made if one.origin == origin]
        from_base = next((one for one in own if one.step == "base_to_rl"), None)
        from_mid = next((one for one in own if one.step == "mid_to_rl"), None)
        if from_base is not None and from_mid is not None:
            cells = {name: _less(from_base.cells.get(name), from_mid.cells.get(name)) for name in _LABELS}
            found.append(Series(f"Delta, {origin}", cells, origin, signed=True))
    return found


def _less(first: Cell | None, second: Cell | None) -> Cell:
    if first is None or second is None or first.value is None or second.value is None:
        return Cell()
    return Cell(first.value - second.value, sources=tuple(dict.fromkeys((*first.sources, *second.sources))))
