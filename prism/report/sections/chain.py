"""The pipeline graph with each stage's pass rate."""

from __future__ import annotations

from markupsafe import Markup

from prism.report.charts.tree import Box, tree_chart
from prism.report.numbers import percent, short
from prism.report.results import Results, Stage

_VERBS = {
    "import": "published weights",
    "pretrain": "pre-training",
    "midtrain": "mid-training",
    "merge": "merge",
    "extend": "long context",
    "difficulty": "difficulty filter",
    "rl": "RL",
}


def chain(results: Results) -> Markup:
    main = set(results.main_chain())
    return tree_chart([_box(results, stage, stage.name in main) for stage in results.stages.values()])


def _box(results: Results, stage: Stage, strong: bool) -> Box:
    rate = stage.mean("pass_rate")
    if stage.kind == "difficulty":
        figure = "not run" if stage.kept_prompts is None else f"{short(stage.kept_prompts)} kept"
    elif rate is not None:
        figure = f"{percent(rate)}%"
    else:
        figure = "" if has_run(results, stage) else "not run"
    what = _subtitle(stage)
    spoken = (
        f"{stage.name}: {what}; sampled pass rate {figure}" if rate is not None else f"{stage.name}: {what}; {figure}"
    )
    return Box(stage.name, stage.parent, stage.kind, what, figure, rate, spoken, strong)


def has_run(results: Results, stage: Stage) -> bool:
    node = results.nodes.get(stage.name)
    return bool(stage.training or stage.rl or stage.tasks) or (node is not None and node.seconds is not None)


def _subtitle(stage: Stage) -> str:
    verb = _VERBS.get(stage.kind, stage.kind)
    if stage.blend is not None:
        return f"{verb} on {stage.blend}"
    return f"{verb}, prompts from {stage.prompts_from}" if stage.prompts_from else verb
