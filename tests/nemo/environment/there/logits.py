"""Logits of a NeMo checkpoint, loaded as NeMo restores it: logits.py RUN_DIRECTORY STAGE CHECKPOINT TOKENS OUT"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from prism.nemo.training.environment import require_nemo

require_nemo()

from tests.nemo.environment.there.cpu import for_cpu, without_cuda  # noqa: E402

without_cuda()

import fiddle as fdl  # noqa: E402
import lightning.pytorch as pl  # noqa: E402

from prism.nemo.training.build import build  # noqa: E402
from prism.nemo.training.run import places_of  # noqa: E402
from prism.nemo.training.settings import nemo_settings  # noqa: E402
from prism.recipe import load_recipe  # noqa: E402


class Done(Exception):
    """Ends the run once the logits are written."""


class Logits(pl.Callback):
    def __init__(self, tokens: str, out: str) -> None:
        self._tokens, self._out = tokens, out

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        tokens = load_file(self._tokens)["tokens"]
        positions = torch.arange(tokens.shape[1]).expand_as(tokens)
        mask = torch.triu(torch.ones(1, 1, tokens.shape[1], tokens.shape[1]), 1) > 0.5
        model: Any = trainer.strategy.megatron_parallel[0]
        model.eval()
        with torch.inference_mode():
            logits = model(input_ids=tokens, position_ids=positions, attention_mask=mask)
        save_file({"logits": logits.float().contiguous()}, self._out)
        raise Done


def main() -> None:
    run, stage, checkpoint, tokens, out = sys.argv[1:]
    recipe = load_recipe(Path(run) / "recipe.yaml", ["cluster.processes=1", "cluster.tensor_parallel=1"])
    places = dataclasses.replace(places_of(recipe, stage), folder=Path(out).with_suffix(".nemo"))
    built = build(nemo_settings(recipe, stage, places))
    built.resume.restore_config.path = checkpoint
    built.resume.resume_if_exists = False
    tokenizer = str(places_of(recipe, stage).tokenizer)
    built.model.tokenizer.pretrained_model_name = built.data.tokenizer.pretrained_model_name = tokenizer
    for_cpu(built)
    built.trainer.callbacks = [fdl.Config(Logits, tokens, out)]
    try:
        fdl.build(built)()
    except Done:
        return
    sys.exit("NeMo didn't begin to train")


if __name__ == "__main__":
    main()
