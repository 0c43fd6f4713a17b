"""Trains a stage with NeMo, where NeMo is installed. Every rank calls it, started by torchrun or srun.

The first rank prepares what all read: the parent's weights as a NeMo checkpoint, the tokenizer as a folder, NeMo's
own text of its recipe. After the last step it makes the stage's checkpoint and export of NeMo's.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.errors import DataError
from data_prep.files import fingerprint, read_json, write_bytes, write_json, write_text
from prism.errors import BadInput
from prism.nemo.training.blend import locked_blend
from prism.nemo.training.environment import require_nemo
from prism.nemo.training.settings import Places, nemo_settings

if TYPE_CHECKING:
    from prism.nemo.training.values import NemoSettings
    from prism.recipe import Recipe

log = logging.getLogger("prism.nemo")

PREPARATION_MINUTES = 120
"""How long the other ranks wait for the first one."""


def run_nemo_training(recipe: Recipe, stage: str, adjust: Callable[[Any], None] | None = None) -> None:
    """Trains `stage` to its last step; goes on from NeMo's newest checkpoint of it if there is one.

    Args:
        adjust: last changes to NeMo's recipe object; tests train on a CPU with it.

    Raises:
        BadInput: the parent's checkpoint is missing or holds another model.
        RecipeErrors: NeMo can't do what the recipe says.
        UsageError: NeMo isn't installed here.
    """
    training, places, first = recipe.training_config(stage), places_of(recipe, stage), _rank() == 0
    if steps_done(places.checkpoints) < training.steps:  # NeMo refuses a run that is through
        require_nemo(training.nemo.container, stage)
        settings = nemo_settings(recipe, stage, places)
        _once(first, places.folder / "prepared.json", settings, lambda: _prepare(recipe, stage, places))
        _train(settings, places, first, adjust)
    if first:
        _finish(recipe, stage, places)


def places_of(recipe: Recipe, stage: str) -> Places:
    """The stage's files, its blend from the lock."""
    folder = (recipe.stage_directory(stage) / "nemo").resolve()
    vocabulary = _tokenizer(recipe.data_directory / "tokenizer.json").get_vocab_size()
    return Places(folder, locked_blend(recipe, stage), recipe.vocabulary_rows(vocabulary))


def write_tokenizer(tokenizer: Path, end_of_document: str, folder: Path) -> None:
    """`tokenizer.json` as a folder that transformers' AutoTokenizer reads.

    Without a token for padding: megatron-core's GPTDataset leaves its loss out, and feeds token 0 in its place.
    """
    write_text(folder / "tokenizer.json", tokenizer.read_text())
    named = {"eos_token": end_of_document, "bos_token": end_of_document}
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **named})


def _prepare(recipe: Recipe, stage: str, places: Places) -> None:
    from prism.models.convert import find_checkpoint
    from prism.models.nemo_checkpoint import step_to_nemo

    write_tokenizer(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document, places.tokenizer)
    if places.start.exists():
        return
    parent = find_checkpoint(recipe.stage_directory(recipe.parent_of(stage)) / "checkpoints")
    model = recipe.model.model_copy(update={"vocab_size": places.vocabulary_rows})
    log.info("%s: weights of %s for NeMo", stage, parent)
    step_to_nemo(parent, places.start, model)


def _train(settings: NemoSettings, places: Places, first: bool, adjust: Callable[[Any], None] | None) -> None:
    import fiddle as fdl
    import nemo_run as run

    from prism.nemo.training.build import as_yaml, build
    from prism.nemo.training.metrics import StepMetrics

    recipe = build(settings)
    recipe.trainer.callbacks = [
        *(recipe.trainer.callbacks or []),
        run.Config(StepMetrics, path=str(places.folder.parent / "metrics.jsonl")),
    ]
    if adjust is not None:
        adjust(recipe)
    if first:
        write_text(places.folder / "recipe.yaml", as_yaml(recipe))
    fdl.build(recipe)()


def _finish(recipe: Recipe, stage: str, places: Places) -> None:
    """NeMo's last checkpoint as the stage's own, and its Hugging Face export with the parent's tokenizer files."""
    from prism.models.convert import export
    from prism.models.family import family_of
    from prism.models.nemo_checkpoint import nemo_to_step

    steps, rows, folder = recipe.training_config(stage).steps, places.vocabulary_rows, recipe.stage_directory(stage)
    newest = newest_checkpoint(places.checkpoints)
    if steps_done(places.checkpoints) != steps:
        raise BadInput(
            f"NeMo's newest checkpoint isn't that of step {steps}",
            place=str(newest),
            remedy="see the stage's log, then run it again",
        )
    state = {"engine": "nemo", "imported": newest.name}
    made = nemo_to_step(newest, folder / "checkpoints", recipe.model, rows, steps, state)
    tokenizer = _tokenizer(recipe.data_directory / "tokenizer.json")
    end = tokenizer.token_to_id(recipe.data.tokenizer.end_of_document)
    export(made.path, folder / "hf", recipe.model, rows, family_of(recipe.model).hf_config(recipe.model, rows, end))
    for name in _BESIDE_WEIGHTS:
        given = recipe.stage_directory(recipe.parent_of(stage)) / "hf" / name
        if given.is_file():
            write_bytes(folder / "hf" / name, given.read_bytes())


_BESIDE_WEIGHTS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json")


def newest_checkpoint(folder: Path) -> Path:
    """NeMo's checkpoint of the latest step, itself and not the link to it; unfinished ones don't count.

    Raises:
        BadInput: there is none.
    """
    found = [
        path
        for path in folder.glob("step=*")
        if (path / "weights" / ".metadata").is_file() and not path.with_name(f"{path.name}-unfinished").exists()
    ]
    if not found:
        raise BadInput("NeMo left no checkpoint", place=str(folder), remedy="see the stage's log, then run it again")
    return max(found, key=lambda path: (_steps(path), not path.is_symlink()))


def steps_done(folder: Path) -> int:
    """Steps behind the newest checkpoint, 0 where there is none."""
    try:
        return _steps(newest_checkpoint(folder))
    except BadInput:
        return 0


def _steps(checkpoint: Path) -> int:
    """NeMo counts from 0: `step=5` or `step=5-last` was written after six steps."""
    return 1 + int(checkpoint.name.removeprefix("step=").partition("-")[0])


def _once(first: bool, done: Path, settings: NemoSettings, prepare: Callable[[], None]) -> None:
    """The first rank prepares; the others wait until it says so for these settings. There is no process group yet."""
    key = fingerprint(settings.plain())
    if first:
        prepare()
        write_json(done, {"settings": key})
        return
    for _ in range(PREPARATION_MINUTES * 60):
        if done.is_file() and read_json(done).get("settings") == key:
            return
        time.sleep(1)
    raise BadInput("the first rank didn't prepare the stage", place=str(done), remedy="see the first rank's log")


def _rank() -> int:
    return int(os.environ.get("RANK") or os.environ.get("SLURM_PROCID") or 0)


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    if not path.is_file():
        raise DataError("the file is missing", place=str(path), remedy="run `prism data prepare RECIPE`")
    return Tokenizer.from_file(str(path))
