"""The recipe keys that decide a node's result: when one changes, the node runs again.

Keys that only say how to run (workers, threads, devices, when to save) are left out: they don't change the result.
"""

from __future__ import annotations

from typing import Any

from prism.pipeline.budgets import blend_uses
from prism.recipe import Recipe
from prism.recipe.prompt_sets import prompt_sets

_RL_ONLY = {"checkpoint", "difficulty"}
_HOW_TO_WATCH = {"checkpoint", "validation", "nemo"}
_DIFFICULTY: dict[str, Any] = {
    "prompts": True,
    "difficulty": True,
    "mix": True,
    "temperature": True,
    "top_p": True,
    "max_response_tokens": True,
    "precision": True,
    "generator": {"kind": True, "vllm": {"dtype"}},
}


def data(recipe: Recipe) -> dict[str, Any]:
    uses = [
        [use.blend, use.packing.model_dump() if use.packing else None, use.tokens, use.samples]
        for use in blend_uses(recipe)
    ]
    return {"data": recipe.data.model_dump(mode="json"), "blends": uses}


def prompts(recipe: Recipe) -> dict[str, Any]:
    """The prompt sets that are prepared from sources."""
    sets = {domain: config.model_dump(mode="json") for domain, config in prompt_sets(recipe).items()}
    return {"rl": {"prompts": sets}, "data": {"decontamination": recipe.data.decontamination.model_dump(mode="json")}}


def stage(recipe: Recipe, name: str) -> dict[str, Any]:
    """Keys of a pipeline stage, its `with` applied."""
    kind = recipe.pipeline[name].stage
    section: dict[str, Any]
    if kind == "merge":
        section = {"long_context": {"merge": recipe.merge_config(name).model_dump(mode="json")}}
    elif kind == "import":
        section = {"import": recipe.import_config(name).model_dump(mode="json", include={"path"})}
    elif kind == "difficulty":
        section = {"rl": recipe.rl_config(name).model_dump(mode="json", include=_DIFFICULTY)}
    elif kind == "rl":
        filtered = recipe.pipeline[name].prompts_from is not None
        exclude = _RL_ONLY | ({"prompts"} if filtered else set())
        section = {"rl": recipe.rl_config(name).model_dump(mode="json", exclude=exclude)}
    else:
        key = "long_context.extend" if kind == "extend" else "midtrain"
        section = {key: recipe.training_config(name).model_dump(mode="json", exclude=_HOW_TO_WATCH)}
    return {**section, **_common(recipe)}


def evaluate(recipe: Recipe) -> dict[str, Any]:
    return {"evaluate": recipe.evaluate.model_dump(mode="json"), **_common(recipe)}


def analyze(recipe: Recipe) -> dict[str, Any]:
    return {
        "analyze": recipe.analyze.model_dump(mode="json", exclude={"pairs", "relations", "landscape"}),
        **_common(recipe),
    }


def landscape(recipe: Recipe) -> dict[str, Any]:
    return {
        "analyze": recipe.analyze.model_dump(mode="json", include={"landscape"}),
        "evaluate": recipe.evaluate.model_dump(mode="json", include={"data"}),
        **_common(recipe),
    }


def relate(recipe: Recipe) -> dict[str, Any]:
    """Of two changes held against each other: which ones they are is the node's name."""
    return {"analyze": recipe.analyze.model_dump(mode="json", include={"thresholds_percent"}), **_common(recipe)}


def report(recipe: Recipe) -> dict[str, Any]:
    """Everything: the report shows the whole recipe."""
    whole = recipe.model_dump(
        mode="json",
        by_alias=True,
        exclude={"schema_version": True, "run": {"workers", "threads"}, "cluster": True, "kernels": True},
    )
    return dict(whole)


def _common(recipe: Recipe) -> dict[str, Any]:
    return {
        "model": recipe.model.model_dump(mode="json"),
        "run": {"seed": recipe.run.seed},
    }


def differences(old: Any, new: Any, key: str = "") -> list[str]:
    """What changed between two sections, as `key: old -> new`."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for name in [*old, *(name for name in new if name not in old)]:
            path = f"{key}.{name}" if key else str(name)
            if name not in new:
                found.append(f"{path}: {_short(old[name])} -> (none)")
            elif name not in old:
                found.append(f"{path}: (none) -> {_short(new[name])}")
            else:
                found += differences(old[name], new[name], path)
        return found
    return [] if old == new else [f"{key}: {_short(old)} -> {_short(new)}"]


def _short(value: Any, width: int = 60) -> str:
    text = str(value)
    return text if len(text) <= width else text[: width - 3] + "..."
