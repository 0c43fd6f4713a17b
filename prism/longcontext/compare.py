"""What two checkpoints must have in common to be merged, said in words before anything is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.files import read_json
from prism.errors import BadInput, PrismError
from prism.formats.weights import Weights
from prism.longcontext.compare_tokenizers import tokenizer_difference
from prism.models.family import identify

OUTPUT_LAYERS = ("lm_head.weight", "output_layer.weight")
TOKEN_TABLES = (*OUTPUT_LAYERS, "embed_tokens.weight", "embeddings.weight", "word_embeddings.weight", "wte.weight")
BUFFERS = ("rotary_emb.inv_freq",)
"""Ends of names of tensors that follow from the configuration and are no weights."""

_SHOWN = 4
_RUNNING = frozenset(
    "_name_or_path transformers_version torch_dtype dtype use_cache bos_token_id eos_token_id pad_token_id "
    "tie_word_embeddings initializer_range auto_map attention_dropout hidden_dropout classifier_dropout "
    "router_aux_loss_coef output_router_logits initialisation rescale_prenorm_residual".split()
)
"""Keys of config.json that don't change what the weights compute, or are compared elsewhere."""
_POSITIONS = frozenset(
    "rope_base rope_theta rope_scaling rope_parameters max_position_embeddings sliding_window use_sliding_window "
    "original_max_position_embeddings".split()
)
"""Keys in which a model of longer context may differ from its base."""


@dataclass(frozen=True)
class Side:
    """One of the two checkpoints.

    Args:
        label: `base` or `trained`.
        description: folder with config.json and tokenizer, None where the checkpoint carries none.
    """

    label: str
    weights: Weights
    description: Path | None

    @property
    def config(self) -> dict[str, Any] | None:
        if self.description is None:
            return None
        values = read_json(self.description / "config.json")
        if not isinstance(values, dict):
            raise self.refuse("config.json isn't a JSON object", "fetch the model's config.json again")
        return values

    def refuse(self, message: str, remedy: str) -> BadInput:
        return BadInput(message, place=str(self.weights.path), remedy=remedy)


@dataclass(frozen=True)
class Compared:
    """Names to write, those of them that are copied from `trained`, and what the user should know."""

    names: Sequence[str]
    copied: frozenset[str]
    notes: Sequence[str]


def compare(base: Side, trained: Side) -> Compared:
    """Raises BadInput that names the first thing that keeps the two from being merged."""
    notes: list[str] = []
    tied = _compare_ties(base, trained, notes)
    names = {side.label: _names(side, tied) for side in (base, trained)}
    _compare_names(base, trained, names["base"], names["trained"])
    _compare_config(base, trained, notes)
    _compare_shapes(base, trained, names["trained"])
    _compare_tokenizers(base, trained, notes)
    _compare_types(base, trained, names["trained"], notes)
    buffers = frozenset(name for name in trained.weights.names() if name.endswith(BUFFERS))
    return Compared([*names["trained"], *buffers], buffers, notes)


def _names(side: Side, tied: bool) -> list[str]:
    dropped = (*BUFFERS, *OUTPUT_LAYERS) if tied else BUFFERS
    return [name for name in side.weights.names() if not name.endswith(dropped)]


def _compare_ties(base: Side, trained: Side, notes: list[str]) -> bool:
    """Whether the output layer is the embedding, which must be so in both or in neither."""
    old, new = _tied(base), _tied(trained)
    if old != new:
        shares, owns = (base, trained) if old else (trained, base)
        raise shares.refuse(
            f"{shares.label} shares its output layer with the embedding, {owns.label} has one of its own",
            "merge checkpoints that are alike in this (tie_word_embeddings)",
        )
    if new and any(name.endswith(OUTPUT_LAYERS) for name in trained.weights.names()):
        notes.append("the output layer is the embedding: the copy of it in trained is left out")
    return new


def _tied(side: Side) -> bool:
    """By the configuration where it says so, else by whether there is an output layer."""
    said = (side.config or {}).get("tie_word_embeddings")
    if isinstance(said, bool):
        return said
    return not any(name.endswith(OUTPUT_LAYERS) for name in side.weights.names())


def _compare_names(base: Side, trained: Side, old: Sequence[str], new: Sequence[str]) -> None:
    for side, other, missing in ((base, trained, set(new) - set(old)), (trained, base, set(old) - set(new))):
        if missing:
            raise side.refuse(
                f"{side.label} lacks {_some(sorted(missing))}, which {other.label} has",
                "merge two checkpoints of one model",
            )


def _compare_shapes(base: Side, trained: Side, names: Sequence[str]) -> None:
    wrong = []
    for name in names:
        old, new = base.weights.shape(name), trained.weights.shape(name)
        if old == new:
            continue
        if name.endswith(TOKEN_TABLES) and old[1:] == new[1:]:
            _compare_vocabulary(base, trained, name)
        else:
            wrong.append(f"{name} is {_by(old)} in base, {_by(new)} in trained")
    if wrong:
        raise trained.refuse(_some(wrong, "; "), "merge two checkpoints of one model")


def _compare_vocabulary(base: Side, trained: Side, name: str) -> None:
    """Tables of different heights are fine where only padding differs, and only Megatron pads without saying so."""
    old, new = base.weights.shape(name)[0], trained.weights.shape(name)[0]
    stated = {size for side in (base, trained) if (size := (side.config or {}).get("vocab_size")) is not None}
    padded = name in ("embedding.word_embeddings.weight", "output_layer.weight")
    if padded and len(stated) == 1 and min(old, new) >= next(iter(stated)):
        return
    why = "; which of them are padding isn't known without a config.json" if padded and not stated else ""
    raise trained.refuse(
        f"the vocabularies differ: {name} has {old:,} rows in base, {new:,} in trained{why}",
        "merge checkpoints of one vocabulary, with their config.json in the folder or in its hf/ folder",
    )


def _compare_config(base: Side, trained: Side, notes: list[str]) -> None:
    old, new = base.config, trained.config
    if base.description is None or trained.description is None or old is None or new is None:
        without = " and ".join(side.label for side in (base, trained) if side.description is None)
        notes.append(f"no config.json with {without}: names, shapes and types were compared, settings were not")
        return
    try:
        old, new = (identify(side).model_dump(mode="json") for side in (base.description, trained.description))
    except PrismError:  # a family that isn't known here: by the keys that both have
        both = old.keys() & new.keys()
        old, new = ({key: values[key] for key in both} for values in (old, new))
    ignored = {*_RUNNING, "tie_embeddings"}
    differ = [key for key in sorted(old.keys() & new.keys()) if key not in ignored and not _alike(old[key], new[key])]
    wrong = [key for key in differ if key not in _POSITIONS]
    if wrong:
        raise trained.refuse(
            f"the models differ: {_some([_both(key, old, new) for key in wrong], '; ')}",
            "merge two checkpoints of one model",
        )
    notes += [f"{_both(key, old, new)}; the result has trained's" for key in differ]


def _alike(one: object, other: object) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9)
    return one == other


def _both(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return f"{key} is {old[key]} in base, {new[key]} in trained"


def _compare_tokenizers(base: Side, trained: Side, notes: list[str]) -> None:
    files = [side.description / "tokenizer.json" for side in (base, trained) if side.description is not None]
    if len(files) < 2:
        return
    if not all(file.is_file() for file in files):
        notes.append("no tokenizer.json in both: whether ids mean the same tokens wasn't compared")
        return
    found = tokenizer_difference(*files)
    if found.conflict is not None:
        raise trained.refuse(
            f"the tokenizers differ: {found.conflict}",
            "merge checkpoints of one tokenizer: rows of one token are mixed",
        )
    notes += found.notes


def _compare_types(base: Side, trained: Side, names: Sequence[str], notes: list[str]) -> None:
    kinds = sorted(
        {
            tuple(str(side.weights.dtype(name)).removeprefix("torch.") for side in (base, trained))
            for name in names
            if base.weights.dtype(name) != trained.weights.dtype(name)
        }
    )
    notes += [f"base is {old} where trained is {new}; the result has trained's" for old, new in kinds]


def _some(items: Sequence[str], separator: str = ", ") -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return separator.join(items[:_SHOWN]) + more


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
