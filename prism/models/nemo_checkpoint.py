"""Checkpoints between NeMo and this project, tensor by tensor.

A NeMo 2 checkpoint is a folder: `weights/` is a torch_dist checkpoint whose keys begin with `module.` and have
Transformer Engine's names, whatever the layers were; `context/` holds NeMo's own description of model, trainer and
tokenizer, which only NeMo can write. Weights go both ways, optimizer states neither.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from data_prep.files import write_json
from prism.errors import BadInput, UsageError
from prism.formats.step_state import check_sums
from prism.formats.torch_dist import TorchDist
from prism.formats.torch_dist_writer import write_torch_dist
from prism.formats.whole_folder import carry, check_room, hidden, refuse_existing, take_name
from prism.models.convert import Conversion, default_workers, find_checkpoint, write_step
from prism.models.family import family_of, identify
from prism.models.storage import check_megatron, to_pieces
from prism.models.weights import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from prism.recipe import ModelConfig

PREFIX = "module."
WEIGHTS = "weights"
_HF = "hf"


@dataclass(frozen=True)
class FromMegatron:
    """Weights of a torch_dist checkpoint, whole tensors at a time."""

    checkpoint: TorchDist

    def dtype(self, weight: Weight) -> torch.dtype:
        return self.checkpoint.dtype(weight.name)

    def blocks(self, weight: Weight) -> Sequence[int]:
        return [weight.shape[0]]

    def rows(self, weight: Weight, first: int, end: int) -> Tensor:
        return self.checkpoint.read(weight.name, first, end)


def nemo_to_step(
    source: Path,
    target: Path,
    model: ModelConfig,
    vocab_size: int,
    step: int,
    state: Mapping[str, Any],
    origin: Path | None = None,
) -> Conversion:
    """Writes a stage's checkpoint, `target/step_...`, of a NeMo checkpoint of the recipe's model.

    Raises:
        BadInput: the folder is no NeMo checkpoint, or holds another model.
    """
    checkpoint = _opened(source)
    sized = model.model_copy(update={"vocab_size": vocab_size})
    check_megatron(checkpoint, _weights(sized))
    return write_step(target, FromMegatron(checkpoint), sized, vocab_size, state, step, origin)


def nemo_to_megatron(source: Path, target: Path, config: Path | None = None) -> Conversion:
    """Writes `target/step_00000000` of a NeMo checkpoint; it exports, trains and loads as any of ours.

    Args:
        config: the Hugging Face folder that the model came from; needed where the checkpoint carries none.

    Raises:
        BadInput: the folder is no NeMo checkpoint, or holds another model.
        UsageError: no configuration is known, or the target exists.
    """
    origin = _origin(source, config)
    model = identify(origin)
    assert model.vocab_size is not None  # every config.json states it
    refuse_existing(target)
    return nemo_to_step(source, target, model, model.vocab_size, 0, {"imported": str(source)}, origin)


def megatron_to_nemo(source: Path, target: Path, config: Path | None = None) -> Conversion:
    """Writes a NeMo checkpoint of one of ours, or of Megatron-LM's; `RestoreConfig` reads its weights at any layout.

    Raises:
        BadInput: tensors don't fit the configuration, or the checkpoint is damaged.
        UsageError: no configuration is known, or the target exists.
    """
    path = find_checkpoint(source)
    origin = _origin(path, config)
    done = step_to_nemo(path, target, identify(origin))
    carry(origin, target / _HF)
    return done


def step_to_nemo(path: Path, target: Path, model: ModelConfig) -> Conversion:
    """The same of a checkpoint whose model is known, without a Hugging Face description beside it."""
    refuse_existing(target)
    check_sums(path)
    checkpoint = TorchDist(path)
    weights = _weights(model)
    check_megatron(checkpoint, weights)
    pieces, shapes, states = to_pieces(FromMegatron(checkpoint), weights, model, fused_norms=True)
    size = sum(piece.bytes for piece in pieces)
    temporary = hidden(target)
    shutil.rmtree(temporary, ignore_errors=True)
    check_room(target, size)
    folder = temporary / WEIGHTS
    folder.mkdir(parents=True)
    write_torch_dist(
        folder,
        [replace(piece, key=PREFIX + piece.key) for piece in pieces],
        {PREFIX + key: shape for key, shape in shapes.items()},
        [PREFIX + key for key in states],
        default_workers(),
    )
    torch.save({}, folder / "common.pt")
    write_json(temporary / "model.json", model.model_dump(mode="json"))
    take_name(temporary, target)
    return Conversion(target, model, len(shapes), size)


def _opened(source: Path) -> TorchDist:
    folder = source / WEIGHTS if (source / WEIGHTS).is_dir() else source
    if not (folder / ".metadata").is_file():
        raise BadInput(
            "no NeMo 2 checkpoint",
            place=str(source),
            remedy="give the folder that holds weights/; an archive (.nemo) is NeMo 1's: convert it with NeMo first",
        )
    return TorchDist(folder, PREFIX)


def _origin(path: Path, config: Path | None) -> Path:
    origin = config or path / _HF
    if not (origin / "config.json").is_file():
        raise UsageError(
            "the checkpoint carries no config.json",
            place=str(path),
            remedy="name the folder of the Hugging Face model that it came from with --config",
        )
    return origin


def _weights(model: ModelConfig) -> list[Weight]:
    assert model.vocab_size is not None
    return list(family_of(model).weight_map(model, model.vocab_size))
