"""Conversion between Hugging Face folders and Megatron checkpoints, tensor by tensor.

A target appears under its name when it is whole. Until then it is a hidden folder beside it; the same command,
called again after a kill, goes on with the files that are missing. What Megatron has no place for (config.json,
generation config, tokenizer) travels in the checkpoint's `hf/` folder and comes back on export.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data_prep.files import fingerprint, read_json, write_bytes, write_json
from prism.errors import BadInput, UsageError
from prism.formats.files import step_name
from prism.formats.hf_folder import HfFolder, write_tensors
from prism.formats.step_state import check_sums, seal
from prism.formats.torch_dist import TorchDist
from prism.formats.torch_dist_writer import write_torch_dist
from prism.formats.whole_folder import carry, check_room, hidden, refuse_existing, take_name
from prism.models.family import family_of, identify
from prism.models.storage import FromHf, MegatronRows, check_hf, check_megatron, to_hf, to_pieces
from prism.models.weights import Weight
from prism.recipe import ModelConfig

SHARD_BYTES = 5_000_000_000
_HF = "hf"


@dataclass(frozen=True)
class Conversion:
    """What was made: where, which model, tensors and bytes written."""

    path: Path
    model: ModelConfig
    tensors: int
    bytes: int


def default_workers() -> int:
    """Files written side by side; more threads than this only wait for the disk."""
    return min(4, len(os.sched_getaffinity(0)))


def hf_to_megatron(source: Path, target: Path, *, megatron_lm: bool = False, workers: int | None = None) -> Conversion:
    """Writes `target/step_00000000`, or for plain Megatron-LM `target/iter_0000000` with its tracker file.

    Args:
        megatron_lm: norms under Transformer Engine's names, the folder layout of Megatron-LM.

    Raises:
        BadInput: the model is unknown, or tensors don't fit its config.json.
        ResourcesExhausted: the disk is too small.
        UsageError: the target exists.
    """
    model = identify(source)
    weights = _weights(model)
    folder = HfFolder(source)
    check_hf(folder, weights, model.tie_embeddings)
    _check_tokenizer(source, model)
    final = target / ("iter_0000000" if megatron_lm else step_name(0))
    identity = _identity(source)

    def describe(temporary: Path) -> None:
        if megatron_lm:
            torch.save({"checkpoint_version": 3.0, "iteration": 0}, temporary / "common.pt")
            return
        carry(source, temporary / _HF)
        _describe_step(temporary, {"imported": identity})

    rows = FromHf(folder, model)
    done = _write_megatron(final, rows, weights, model, describe, [identity], workers, fused_norms=megatron_lm)
    if megatron_lm:
        write_bytes(target / "latest_checkpointed_iteration.txt", b"0")
    return done


def write_step(
    target: Path,
    rows: MegatronRows,
    model: ModelConfig,
    vocab_size: int,
    state: Mapping[str, Any],
    step: int = 0,
    origin: Path | None = None,
) -> Conversion:
    """Writes a checkpoint of weights from anywhere, tensor by tensor, as that of `step`.

    Args:
        state: what is remembered in it.
        origin: Hugging Face folder whose description travels in it.
    """
    sized = model.model_copy(update={"vocab_size": vocab_size})
    final = target / step_name(step)
    shutil.rmtree(final, ignore_errors=True)

    def describe(folder: Path) -> None:
        if origin is not None:
            carry(origin, folder / _HF)
        _describe_step(folder, state, step)

    return _write_megatron(final, rows, _weights(sized), sized, describe, [state])


def megatron_to_hf(
    source: Path,
    target: Path,
    *,
    config: Path | None = None,
    shard_bytes: int = SHARD_BYTES,
    workers: int | None = None,
) -> Conversion:
    """Writes a Hugging Face folder of a checkpoint: ours, or one of plain Megatron-LM.

    Args:
        source: the checkpoint, or the folder that holds checkpoints (the newest is taken).
        config: the Hugging Face folder that the model came from; needed where the checkpoint carries none.

    Raises:
        BadInput: tensors don't fit the configuration, or the checkpoint is damaged.
        UsageError: no configuration is known, or the target exists.
    """
    path = find_checkpoint(source)
    origin = config or path / _HF
    if not (origin / "config.json").is_file():
        raise UsageError(
            "the checkpoint carries no config.json",
            place=str(path),
            remedy="name the folder of the Hugging Face model that it came from with --config",
        )
    model = identify(origin)
    return _export(path, target, model, lambda folder: carry(origin, folder), shard_bytes, workers)


def export(source: Path, target: Path, model: ModelConfig, vocab_size: int, config: Mapping[str, Any]) -> Conversion:
    """Writes a checkpoint of a model that this project trained, with a config.json of its own."""
    sized = model.model_copy(update={"vocab_size": vocab_size})
    checkpoint = TorchDist(source)
    dtype = str(checkpoint.dtype("embedding.word_embeddings.weight")).removeprefix("torch.")

    def describe(folder: Path) -> None:
        write_json(folder / "config.json", {**config, "dtype": dtype})

    shutil.rmtree(target, ignore_errors=True)
    return _export(source, target, sized, describe, SHARD_BYTES, None)


def find_checkpoint(path: Path) -> Path:
    """The checkpoint at `path`, or the newest one in it.

    Raises:
        BadInput: there is none.
    """
    if (path / ".metadata").is_file():
        return path
    tracker = path / "latest_checkpointed_iteration.txt"
    if tracker.is_file():
        found = path / f"iter_{int(tracker.read_text()):07d}"
        if (found / ".metadata").is_file():
            return found
    steps = sorted(folder for folder in path.glob("step_*") if (folder / ".metadata").is_file())
    if not steps:
        raise BadInput("no torch_dist checkpoint", place=str(path), remedy="give a folder with .metadata in it")
    return steps[-1]


def _weights(model: ModelConfig) -> list[Weight]:
    assert model.vocab_size is not None  # every config.json states it
    return list(family_of(model).weight_map(model, model.vocab_size))


def _describe_step(folder: Path, state: Mapping[str, Any], step: int = 0) -> None:
    torch.save({}, folder / "common.pt")
    seal(folder, step, state)


def _write_megatron(
    final: Path,
    rows: MegatronRows,
    weights: Sequence[Weight],
    model: ModelConfig,
    describe: Callable[[Path], None],
    plan: Sequence[Any],
    workers: int | None = None,
    *,
    fused_norms: bool = False,
) -> Conversion:
    pieces, shapes, states = to_pieces(rows, weights, model, fused_norms=fused_norms)
    size = sum(piece.bytes for piece in pieces)

    def write(temporary: Path) -> None:
        write_torch_dist(temporary, pieces, shapes, states, workers or default_workers())
        describe(temporary)

    _make(final, write, size, [*plan, model.model_dump(mode="json"), fused_norms])
    return Conversion(final, model, len(shapes), size)


def _export(
    path: Path,
    target: Path,
    model: ModelConfig,
    describe: Callable[[Path], None],
    shard_bytes: int,
    workers: int | None,
) -> Conversion:
    weights = _weights(model)
    check_sums(path)
    checkpoint = TorchDist(path)
    check_megatron(checkpoint, weights)
    tensors = to_hf(checkpoint, weights, model)
    size = sum(tensor.bytes for tensor in tensors)

    def write(temporary: Path) -> None:
        write_tensors(temporary, tensors, shard_bytes, workers or default_workers())
        describe(temporary)

    _make(target, write, size, [_identity(path), model.model_dump(mode="json"), shard_bytes])
    return Conversion(target, model, len(tensors), size)


def _make(final: Path, write: Callable[[Path], None], size: int, plan: Sequence[Any]) -> None:
    """Fills a hidden folder and gives it its name; what a killed run of the same plan left is kept."""
    refuse_existing(final)
    temporary = hidden(final)
    note = temporary / "plan.json"
    key = fingerprint(list(plan))
    if not note.is_file() or read_json(note)["key"] != key:
        shutil.rmtree(temporary, ignore_errors=True)
        check_room(final, size)
        temporary.mkdir(parents=True)
        write_json(note, {"key": key})
    else:
        written = sum(file.stat().st_size for file in temporary.iterdir())
        check_room(final, size - written)
    write(temporary)
    note.unlink()
    take_name(temporary, final)


def _check_tokenizer(source: Path, model: ModelConfig) -> None:
    path = source / "tokenizer.json"
    if not path.is_file():
        return
    described = read_json(path)
    vocabulary = (described.get("model") or {}).get("vocab") or {}
    ids = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))  # unigram models have a list
    highest = max([-1, *ids, *(token["id"] for token in described.get("added_tokens") or [])])
    if model.vocab_size is not None and highest >= model.vocab_size:
        raise BadInput(
            f"the tokenizer's highest id is {highest}, the model has {model.vocab_size} tokens",
            place=str(path),
            remedy="use the tokenizer that belongs to this model",
        )


def _identity(source: Path) -> str:
    files = sorted((file.name, file.stat().st_size) for file in source.iterdir() if file.is_file())
    return fingerprint([str(source.resolve()), files])
