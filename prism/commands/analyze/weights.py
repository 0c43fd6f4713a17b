"""`prism analyze weights`, `directions`, `footprint` and `trajectory`: checkpoints against checkpoints."""

from __future__ import annotations

from typing import Annotated

import typer

from prism.commands.analyze.options import Checkpoint, Csv, Json, Names
from prism.commands.analyze.read_ahead import begin_reading

Thresholds = Annotated[
    str | None, typer.Option(help="Percent below which a weight counts as unchanged. Default: 0.1,0.5,1,2,5,10.")
]
Masters = Annotated[
    bool, typer.Option("--masters", help="Of torch_dist checkpoints the optimizer's fp32 weights, where they are kept.")
]


def weights(
    first: Checkpoint,
    second: Checkpoint,
    third: Annotated[str | None, typer.Argument(help="A checkpoint trained from the second.")] = None,
    json: Json = None,
    csv: Csv = None,
    thresholds: Thresholds = None,
    names: Names = None,
    masters: Masters = False,
    layers: Annotated[bool, typer.Option("--layers", help="A table by layer too.")] = False,
    matrices: Annotated[bool, typer.Option("--matrices", help="A table by matrix too.")] = False,
) -> None:
    """Show how far weights moved from one checkpoint to the next, where, and how many stayed.

    With three: every pair, and the angle between the first change and the second. bf16 exports and fp32 masters are
    told apart; fp32 is shown once more after rounding to bf16, which is what the paper's tables hold.

    Example: `prism analyze weights runs/miniature:base runs/miniature:mid runs/miniature:rl`
    """
    texts = [first, second, *([third] if third is not None else [])]
    begin_reading(texts)
    from prism.analyze.weights import Asked
    from prism.commands.analyze import given, show

    pairs = ((0, 1), (1, 2), (0, 2))[: 3 if third is not None else 1]
    relations = (((0, 1), (1, 2)),) if third is not None else ()
    asked = Asked(pairs, given.percent(thresholds), relations)
    done = given.analysed(given.opened(texts, names, masters=masters), asked, json)
    if given.written(json, csv, done.as_json()):
        return
    show.notes(done)
    for comparison in done.comparisons:
        show.comparison(comparison, layers=layers, matrices=matrices)
    for relation in done.relations:
        show.relation(relation)


def directions(
    base: Checkpoint,
    others: Annotated[list[str], typer.Argument(help="Two or more checkpoints trained from it.", metavar="B C...")],
    json: Json = None,
    csv: Csv = None,
    thresholds: Thresholds = None,
    names: Names = None,
    masters: Masters = False,
) -> None:
    """Show the angles between the changes from one base to several checkpoints, and which elements they share.

    Example: `prism analyze directions models/base exports/mc exports/mcs`
    """
    begin_reading([base, *others])
    from itertools import combinations

    from prism.analyze.weights import Asked
    from prism.commands.analyze import given, show
    from prism.errors import UsageError

    if len(others) < 2:
        raise UsageError(
            "a direction is compared with another", place="prism analyze directions", remedy="give BASE B C"
        )
    pairs = tuple((0, index + 1) for index in range(len(others)))
    asked = Asked(pairs, given.percent(thresholds), tuple(combinations(pairs, 2)))
    done = given.analysed(given.opened([base, *others], names, masters=masters), asked, json)
    if given.written(json, csv, done.as_json()):
        return
    show.notes(done)
    for relation in done.relations:
        show.relation(relation)


def footprint(
    base: Checkpoint,
    rl_from_base: Checkpoint,
    mid: Checkpoint,
    rl_from_mid: Checkpoint,
    json: Json = None,
    csv: Csv = None,
    thresholds: Thresholds = None,
    names: Names = None,
    masters: Masters = False,
) -> None:
    """Show whether RL from the base and RL from the mid-trained model change the same parts, and the same elements.

    Example: `prism analyze footprint runs/r:base runs/r:rl_base runs/r:mid runs/r:rl_mid`
    """
    texts = [base, rl_from_base, mid, rl_from_mid]
    begin_reading(texts)
    from prism.analyze.weights import Asked
    from prism.analyze.weights.footprint import footprint as footprint_of
    from prism.commands.analyze import given, show

    asked = Asked(((0, 1), (2, 3)), given.percent(thresholds), (((0, 1), (2, 3)),))
    done = given.analysed(given.opened(texts, names, masters=masters), asked, json)
    found = footprint_of(done)
    if given.written(json, csv, {**done.as_json(), "footprint": found.as_json()}):
        return
    show.notes(done)
    show.footprint(found)
    show.relation(found.relation)


def trajectory(
    folders: Annotated[
        list[str],
        typer.Argument(help="A stage's kept steps or checkpoints; or START, then such or single checkpoints."),
    ],
    json: Json = None,
    csv: Csv = None,
    thresholds: Thresholds = None,
) -> None:
    """Show how far a series of checkpoints is from its start, and how many weights changed, step by step.

    With --json a checkpoint that was read once isn't read again: call it anew while the run goes on.

    Example: `prism analyze trajectory runs/miniature:rl --json trajectory.json`
    """
    from prism.analyze.weights.series import entries, follow
    from prism.commands.analyze import given, show

    with given.progress("read", None) as advance:
        done = follow(entries(folders), given.percent(thresholds), given.file(json), progress=advance)
    if given.written(json, csv, done.as_json()):
        return
    show.trajectory(done)
