"""A recipe as a graph: which node reads and makes what, and which recipe keys decide it.

| kind | name | makes |
|---|---|---|
| data | `data` | tokenizer, tokenised sources, blend locks |
| prompts | `prompts` | `data/prompts/<domain>.jsonl`: prompt sets from sources, where a stage reads one |
| import, pretrain, midtrain, extend, merge, rl | the stage's | `stages/<stage>/`: checkpoints, hf/, metrics |
| difficulty | the stage's | `stages/<stage>/prompts.jsonl`, `difficulty.jsonl` |
| evaluate | `evaluate:<stage>` | `stages/<stage>/evaluate/` |
| analyze | `analyze:<before>:<after>` | `analysis/weights/...`, `analysis/cka/...` |
| analyze | `analyze:<before>:<after>:<before>:<after>` | `analysis/relations/...` |
| landscape | `landscape` | `analysis/landscape.json` |
| report | `report` | `report.html`, `summary.json` |
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from data_prep.schema import Packing, lock_name
from prism.errors import UsageError
from prism.pipeline import sections
from prism.pipeline.budgets import blend_uses
from prism.pipeline.links import Node, RawSource, in_order, linked
from prism.recipe import TRAINING_KINDS, Recipe
from prism.recipe.prompt_sets import prompt_sets, prompts_read
from prism.recipe.retention_checks import retention_files
from prism.recipe.schema.stages import LandscapeConfig

TOKENIZER = "data/tokenizer.json"
WORLD = "data/world"
LANDSCAPE = "landscape"
_RESERVED = ("data", "prompts", LANDSCAPE, "report")
_STAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def build_graph(recipe: Recipe) -> dict[str, Node]:
    """Every node of `recipe` by name, in an order in which they could run.

    Raises:
        UsageError: a stage has the name of another kind of node, or stages need each other in a circle.
    """
    for name in recipe.pipeline:
        if name in _RESERVED or not _STAGE_NAME.fullmatch(name):
            raise UsageError(
                f"a stage can't be named {name!r}",
                place="pipeline",
                remedy=f"use letters, digits, _ and -; not {', '.join(_RESERVED)}",
            )
    nodes = [_data(recipe)]
    nodes += [_prompts(recipe)] if prompt_sets(recipe) else []
    nodes += [_stage(recipe, stage) for stage in recipe.pipeline]
    evaluated = [name for name in recipe.checkpoint_stages() if recipe.pipeline[name].evaluate]
    if recipe.evaluate.tasks:
        nodes += [_evaluate(recipe, stage) for stage in evaluated]
    nodes += [_analyze(recipe, before, after) for before, after in analysis_pairs(recipe)]
    nodes += [_relate(recipe, first, second) for first, second in recipe.analyze.relations]
    nodes += [_landscape(recipe, recipe.analyze.landscape)] if recipe.analyze.landscape is not None else []
    nodes.append(_report(recipe, nodes))
    return in_order(linked(nodes))


def analysis_pairs(recipe: Recipe) -> list[tuple[str, str]]:
    """The recipe's pairs; without them, every stage that leaves a checkpoint against the one it starts from."""
    if recipe.analyze.pairs is not None:
        return list(recipe.analyze.pairs)
    parents = [(recipe.pipeline[stage].parent, stage) for stage in recipe.checkpoint_stages()]
    return [(parent, stage) for parent, stage in parents if parent is not None]


def select(graph: Mapping[str, Node], only: Sequence[str] | None) -> dict[str, Node]:
    """The nodes that `only` names (patterns such as `evaluate:*` may be used), with all that they need.

    Raises:
        UsageError: a name fits no node.
    """
    if only is None:
        return dict(graph)
    wanted: set[str] = set()
    for pattern in only:
        found = fnmatch.filter(graph, pattern)
        if not found:
            raise UsageError(
                f"no node {pattern!r}",
                place="--only",
                remedy=f"use some of: {', '.join(graph)}, or a pattern",
            )
        wanted.update(found)
    left = list(wanted)
    while left:
        new = [need for need in graph[left.pop()].needs if need not in wanted]
        wanted.update(new)
        left += new
    return {name: node for name, node in graph.items() if name in wanted}


def data_path(recipe: Recipe, path: str) -> str:
    """A path of the recipe as an artifact: `world/...` lies in the run's data folder, others outside of the run."""
    if path.startswith("world/"):
        return f"data/{path}"
    if (recipe.run_directory / "data" / path).exists() and not Path(path).exists():
        return f"data/{path}"
    return str(Path(path).resolve())


def _data(recipe: Recipe) -> Node:
    locks = [lock_path(use.blend, use.packing) for use in blend_uses(recipe)]
    world = [WORLD] if recipe.data.world is not None else []
    raw = [
        RawSource(source.path, source.pattern, tuple(source.exclude))
        for source in recipe.data.sources.values()
        if not source.path.startswith("world/")
    ]
    outside = [recipe.data.tokenizer.path] if recipe.data.tokenizer.path else []
    return Node(
        "data",
        "data",
        sections.data(recipe),
        inputs=tuple(str(Path(path).resolve()) for path in outside),
        outputs=(TOKENIZER, *world, "data/sources", *locks),
        sources=tuple(raw),
    )


def _prompts(recipe: Recipe) -> Node:
    sets = prompt_sets(recipe)
    raw = [
        RawSource(source.path, source.pattern, tuple(source.exclude))
        for config in sets.values()
        for source in config.sources.values()
    ]
    evaluated = [RawSource(questions.path) for questions in recipe.data.decontamination.sets.values()]
    return Node(
        "prompts",
        "prompts",
        sections.prompts(recipe),
        outputs=tuple(f"data/prompts/{domain}{ending}" for domain in sets for ending in (".jsonl", ".card.json")),
        sources=tuple(raw + evaluated),
    )


def _stage(recipe: Recipe, stage: str) -> Node:
    node, folder = recipe.pipeline[stage], f"stages/{stage}"
    inputs = [TOKENIZER]
    if node.parent is not None:
        inputs.append(checkpoints(node.parent))
    if node.stage in TRAINING_KINDS:
        config = recipe.training_config(stage)
        inputs += [lock_path(blend, config.pack) for blend in config.every_blend()]
        inputs += [data_path(recipe, file) for file in retention_files(recipe, stage)]
    elif node.stage == "import":
        inputs.append(data_path(recipe, f"{recipe.import_config(stage).path}/config.json"))
    elif node.stage == "merge":
        inputs.append(checkpoints(_merged_with(recipe, stage)))
    else:
        if node.prompts_from is not None:
            kept = "prompts.jsonl" if node.stage == "rl" else "difficulty.jsonl"
            inputs.append(f"stages/{node.prompts_from}/{kept}")
        inputs += [
            f"data/prompts/{domain}.jsonl" if entry.path is None else data_path(recipe, entry.path)
            for domain, entry in prompts_read(recipe, stage).items()
        ]
    steps = None
    if node.stage not in ("import", "merge", "difficulty"):
        steps = (recipe.rl_config(stage) if node.stage == "rl" else recipe.training_config(stage)).steps
    made = {
        "difficulty": ("prompts.jsonl", "difficulty.jsonl"),
        "import": ("checkpoints", "hf"),
        "merge": ("checkpoints", "hf"),
        "rl": ("checkpoints", "hf", "metrics.jsonl", "samples.jsonl"),
    }.get(node.stage, ("checkpoints", "hf", "metrics.jsonl"))
    return Node(
        stage,
        node.stage,
        sections.stage(recipe, stage),
        inputs=tuple(inputs),
        outputs=tuple(f"{folder}/{name}" for name in made),
        owns=(folder,),
        steps=steps,
    )


def _merged_with(recipe: Recipe, stage: str) -> str:
    base = recipe.merge_config(stage).base
    return base if base is not None else recipe.parent_of(recipe.parent_of(stage))


def _evaluate(recipe: Recipe, stage: str) -> Node:
    files = [
        *recipe.evaluate.data.values(),
        *(task for task in recipe.evaluate.tasks if Path(task).is_file()),
    ]
    folder = f"stages/{stage}/evaluate"
    return Node(
        f"evaluate:{stage}",
        "evaluate",
        sections.evaluate(recipe),
        inputs=(TOKENIZER, checkpoints(stage), *_data_inputs(recipe, files)),
        outputs=(folder,),
        owns=(folder,),
    )


def _analyze(recipe: Recipe, before: str, after: str) -> Node:
    files = [f"analysis/{what}/{before}__{after}.json" for what in ("weights", "cka")]
    return Node(
        f"analyze:{before}:{after}",
        "analyze",
        sections.analyze(recipe),
        inputs=(
            TOKENIZER,
            checkpoints(before),
            checkpoints(after),
            *_data_inputs(recipe, recipe.analyze.cka.sets.values()),
        ),
        outputs=tuple(files),
        owns=tuple(files),
    )


def _relate(recipe: Recipe, first: tuple[str, str], second: tuple[str, str]) -> Node:
    file = f"analysis/relations/{'__'.join(first)}.{'__'.join(second)}.json"
    return Node(
        ":".join(("analyze", *first, *second)),
        "analyze",
        sections.relate(recipe),
        inputs=tuple(checkpoints(stage) for stage in dict.fromkeys((*first, *second))),
        outputs=(file,),
        owns=(file,),
    )


def _landscape(recipe: Recipe, config: LandscapeConfig) -> Node:
    files = [*recipe.evaluate.data.values(), *([config.task] if Path(config.task).is_file() else [])]
    output = "analysis/landscape.json"
    return Node(
        LANDSCAPE,
        "landscape",
        sections.landscape(recipe),
        inputs=(TOKENIZER, *map(checkpoints, config.chain), *_data_inputs(recipe, files)),
        outputs=(output,),
        owns=(output, "analysis/landscape.points"),
    )


def _data_inputs(recipe: Recipe, files: Iterable[str]) -> list[str]:
    """The files that a recipe names, and the whole world, from which tasks take their prompts."""
    world = [WORLD] if recipe.data.world is not None else []
    return world + sorted({data_path(recipe, file) for file in files} - {WORLD})


def _report(recipe: Recipe, nodes: Sequence[Node]) -> Node:
    read = [path for node in nodes for path in node.outputs if _is_reported(path)]
    return Node(
        "report",
        "report",
        sections.report(recipe),
        inputs=tuple(read),
        outputs=("report.html", "summary.json"),
        owns=("report.html", "summary.json"),
    )


def _is_reported(path: str) -> bool:
    return (
        not path.endswith(("/checkpoints", "/hf"))
        and not fnmatch.fnmatch(path, "data/prompts/*.jsonl")
        and path
        not in (
            WORLD,
            "data/sources",
        )
    )


def lock_path(blend: str, packing: Packing | None) -> str:
    """The artifact that pins a blend, packed or not."""
    return f"data/blends/{lock_name(blend, packing)}"


def checkpoints(stage: str) -> str:
    """The artifact that holds the checkpoints of `stage`."""
    return f"stages/{stage}/checkpoints"
