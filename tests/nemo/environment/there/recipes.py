"""Builds NeMo's recipe of each model and says where it differs from its settings: recipes.py OUT.json"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from prism.nemo.training.environment import require_nemo

require_nemo()

import fiddle as fdl  # noqa: E402

from prism.nemo.training.build import as_yaml, as_zlib_json, build, resolved  # noqa: E402
from prism.nemo.training.settings import nemo_settings  # noqa: E402
from prism.nemo.training.values import Made, NemoSettings, python_source  # noqa: E402
from tests.nemo.training.made import MODELS, PLACES, recipe  # noqa: E402

CHANGES: dict[str, list[str]] = {
    "as it is": [],
    "another layout": [
        "pipeline.mid.cluster.processes=32",
        "pipeline.mid.cluster.tensor_parallel=2",
        "pipeline.mid.cluster.pipeline_parallel=2",
        "pipeline.mid.cluster.context_parallel=2",
        "pipeline.mid.cluster.sequence_parallel=true",
        "pipeline.mid.cluster.recompute=full",
        "pipeline.mid.cluster.offload_optimizer=0.5",
        "midtrain.precision=fp8",
        "midtrain.loss_on_end_of_document=false",
        "midtrain.checkpoint={every_steps: 7, keep_last: 3, asynchronous: false}",
        "midtrain.schedule={kind: linear, warmup_steps: 3, final_fraction: 0.5}",
    ],
    "constant in fp32": [
        "midtrain.precision=fp32",
        "midtrain.schedule.kind=constant",
        "pipeline.mid.cluster.recompute=selective",
    ],
}


def looked_up(recipe: Any, path: str) -> Any:
    for name in path.split("."):
        recipe = getattr(recipe, name)
    return recipe


def unequal(recipe: Any, settings: NemoSettings) -> list[str]:
    """Settings that the object doesn't have; what stands deeper in another setting is compared by its arguments."""
    found = []
    for setting in settings.settings:
        there = looked_up(recipe, setting.path)
        if isinstance(setting.value, Made):
            kept = {key: getattr(there, key) for key in setting.value.arguments}
            wanted = {key: resolved(value) for key, value in setting.value.arguments.items()}
        else:
            kept, wanted = there, resolved(setting.value)
        if kept != wanted:
            found.append(f"{setting.path}: {kept!r}, not {wanted!r}")
    return found


def unequal_when_built(recipe: Any, settings: NemoSettings) -> list[str]:
    """The same of what NeMo makes of it without a GPU: optimizer, schedule, data parallelism, checkpoints, model."""
    config = recipe.model.config
    for name in ("gradient_accumulation_fusion", "masked_softmax_fusion", "bias_dropout_fusion", "apply_rope_fusion"):
        setattr(config, name, False)
    made = {name: fdl.build(looked_up(recipe, name)) for name in ("optim.config", "model.config", "log.ckpt")}
    made["trainer.strategy.ddp"] = fdl.build(recipe.trainer.strategy.ddp)
    kept_as = {
        "log.ckpt.every_n_train_steps": "_every_n_train_steps",
        "log.ckpt.train_time_interval": "_train_time_interval",
    }
    found = []
    for setting in settings.settings:
        start = next((name for name in made if setting.path.startswith(f"{name}.")), None)
        if start is None:
            continue
        name = kept_as.get(setting.path, setting.path.removeprefix(f"{start}."))
        kept, wanted = getattr(made[start], name), resolved(setting.value)
        if (tuple(kept) if isinstance(kept, list) else kept) != (tuple(wanted) if isinstance(wanted, list) else wanted):
            found.append(f"{setting.path} built: {kept!r}, not {wanted!r}")
    scheduler = fdl.build(recipe.optim.lr_scheduler)
    wanted = settings.value("optim.lr_scheduler").arguments
    return found + [f"{key}: {getattr(scheduler, key)}" for key in wanted if getattr(scheduler, key) != wanted[key]]


def main() -> None:
    from nemo_run.core.serialization.zlib_json import ZlibJSONSerializer

    out: dict[str, Any] = {}
    for model in MODELS:
        for name, changes in CHANGES.items():
            settings = nemo_settings(recipe(model, *changes), "mid", PLACES)
            built = build(settings)
            text = as_yaml(built)
            back = ZlibJSONSerializer().deserialize(as_zlib_json(built))
            program: dict[str, Any] = {"__name__": "program"}
            exec(compile(python_source(settings), "program", "exec"), program)
            out[f"{model}, {name}"] = {
                "settings": len(settings.settings),
                "unequal": unequal(built, settings),
                "round trip": back == built,
                "program": as_zlib_json(program["recipe"]) == as_zlib_json(built),
                "yaml": len(text),
                "config": fdl.get_callable(built.model.config).__name__,
                "unequal when built": unequal_when_built(built, settings),
            }
    Path(sys.argv[1]).write_text(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
