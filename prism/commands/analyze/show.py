"""Tables of weight analysis."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prism.commands.console import print_table

if TYPE_CHECKING:
    from prism.analyze.weights import Analysis, Comparison
    from prism.analyze.weights.change import Change
    from prism.analyze.weights.compare import RelationSaid
    from prism.analyze.weights.footprint import Alike, Footprint
    from prism.analyze.weights.groups import Group, Groups
    from prism.analyze.weights.relation import Relation
    from prism.analyze.weights.series import Trajectory

_SHOWN_PERCENT = 1.0


def notes(done: Analysis) -> None:
    """What the user should know goes where errors go."""
    for note in done.notes:
        print(f"note: {note}", file=sys.stderr)


def comparison(one: Comparison, *, layers: bool, matrices: bool) -> None:
    """Relative L2 and unchanged shares by part; fp32 and what is left of it in bf16 one after the other."""
    _changes(one, one.groups, f"{one.precision}, {one.dtype}", layers=layers, matrices=matrices)
    if one.in_bf16 is not None:
        _changes(one, one.in_bf16, "rounded to bf16", layers=layers, matrices=matrices)
        print("The paper's tables hold bf16 exports: compare them with the second table only.")
    print()


def _changes(one: Comparison, groups: Groups[Change], taken: str, *, layers: bool, matrices: bool) -> None:
    rows = _parts(groups)
    if layers:
        rows += [(f"layer {name}", group) for name, group in groups.by_layer.items()]
    if matrices:
        rows += [(cut.name, _only(groups, index)) for index, (cut, _) in enumerate(groups.total_all.members)]
    unchanged = [f"< {value:g}%" for value in one.thresholds_percent]
    title = f"{one.before.name} -> {one.after.name} ({taken}); last columns: % of elements that changed by less"
    table = [[name, *_change_cells(group, len(unchanged))] for name, group in rows]
    print_table(title, ["part", "elements", "relative L2", "mean of matrices", *unchanged], table)


def _change_cells(group: Group[Change], thresholds: int) -> list[str]:
    total = group.sum
    each = [found for change in group.matrices if (found := change.relative_l2) is not None]
    mean = _number(sum(each) / len(each) if each else None)
    shares = [f"{total.unchanged_percent(index):.2f}" for index in range(thresholds)]
    return [f"{total.elements:,}", _number(total.relative_l2), mean, *shares]


def relation(one: RelationSaid) -> None:
    """Angle and common elements by part."""
    thresholds = ["any" if value == 0 else f">= {value:g}%" for value in one.thresholds_percent]
    columns = ["part", "elements", "cosine"]
    columns += [f"{what}, {threshold}" for threshold in thresholds for what in ("first", "second", "overlap", "lift")]
    first, second = (" -> ".join(pair) for pair in (one.first, one.second))
    title = f"{first} against {second}; % of elements changed, overlap is common over either's, lift over chance"
    rows = [[name, *_relation_cells(group.sum, len(thresholds))] for name, group in _parts(one.groups)]
    print_table(title, columns, rows)
    print()


def _relation_cells(total: Relation, thresholds: int) -> list[str]:
    cells = [f"{total.elements:,}", _fixed(total.cosine)]
    for index in range(thresholds):
        shares = (100 * counts[index] / max(1, total.elements) for counts in (total.first, total.second))
        cells += [*(f"{share:.2f}" for share in shares), _fixed(total.jaccard(index)), _fixed(total.lift(index))]
    return cells


def footprint(found: Footprint) -> None:
    """Both changes by sub-component side by side, and how alike they are."""
    names = [f"{one.before.name} -> {one.after.name}" for one in (found.first, found.second)]
    index = _index(found.first.thresholds_percent)
    shown = f"{found.first.thresholds_percent[index]:g}%"
    columns = ["part"]
    columns += [f"{what}, {name}" for what in ("relative L2", f"% changed by {shown}") for name in ("first", "second")]
    rows = []
    for (name, one), (_, other) in zip(_parts(found.first.groups), _parts(found.second.groups), strict=True):
        moved = [_number(group.sum.relative_l2) for group in (one, other)]
        changed = [f"{100 - group.sum.unchanged_percent(index):.3f}" for group in (one, other)]
        rows.append([name, *moved, *changed])
    print_table(f"first: {names[0]}, second: {names[1]}", columns, rows)
    for what, alike in (
        ("relative L2 by matrix", found.l2_by_matrix),
        ("relative L2 by sub-component", found.l2_by_sub_component),
        ("share of changed elements by matrix", found.changed_by_matrix),
    ):
        print(f"{what}: {_alike(alike)}")
    print()


def trajectory(done: Trajectory) -> None:
    """A row a checkpoint."""
    index = _index(done.thresholds_percent)
    threshold = f"{done.thresholds_percent[index]:g}"
    first = done.points[0].figures
    parts = list(first["by_component"])
    columns = ["checkpoint", "taken in", "relative L2", f"% changed by {threshold}%", *parts]
    rows = []
    for point in done.points:
        rows.append(_point(point.name, point.figures["dtype"], point.figures, threshold, parts))
        if point.figures["in_bf16"] is not None:
            rows.append(_point(point.name, "bf16", point.figures["in_bf16"], threshold, parts))
    print_table(f"against {done.start}; by component: relative L2", columns, rows)


def _point(name: str, taken: str, figures: Mapping[str, Any], threshold: str, parts: Sequence[str]) -> list[str]:
    total = figures["total"]
    changed = 100 - total["unchanged_percent"][threshold]
    moved = [_number(figures["by_component"][part]["relative_l2"]) for part in parts]
    return [name, taken, _number(total["relative_l2"]), f"{changed:.3f}", *moved]


def _parts(groups: Groups[Any]) -> list[tuple[str, Group[Any]]]:
    """Everything, then components with their sub-components below them."""
    rows = [("all matrices", groups.total if groups.total.members else groups.total_all)]
    rows += [("all, vectors too", groups.total_all)]
    for component, group in groups.by_component.items():
        rows.append((component, group))
        inner = {name: one for name, one in groups.by_sub_component.items() if name.startswith(f"{component}.")}
        rows += [(f"  {name.partition('.')[2]}", one) for name, one in inner.items()]
    return rows


def _only(groups: Groups[Any], index: int) -> Group[Any]:
    from prism.analyze.weights.groups import Group

    return Group([groups.total_all.members[index]])


def _index(thresholds_percent: Sequence[float]) -> int:
    """Of the threshold that stands for all: 1% where it was asked for."""
    return thresholds_percent.index(_SHOWN_PERCENT) if _SHOWN_PERCENT in thresholds_percent else 0


def _alike(found: Alike) -> str:
    return f"Pearson {_fixed(found.pearson)}, Spearman {_fixed(found.spearman)} ({found.count} parts)"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _fixed(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
