"""Representations of any models that a user names, every pair of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from prism.analyze.hidden import Texts, hidden_states
from prism.analyze.representations import Represented, compare
from prism.errors import BadInput, PrismError, UsageError
from prism.evaluate.named import NamedModel
from prism.megatron.checkpoint.ranks import first_ranks, is_first
from prism.megatron.parallel import process_groups


@dataclass
class Compared:
    """Pairs that were compared, and what went wrong with the others; what was found is worth keeping all the same.

    checkpoints: name and identity of each model whose states are known.
    first: whether this is the first rank, which writes.
    """

    checkpoints: list[dict[str, str]] = field(default_factory=list)
    comparisons: list[dict[str, Any]] = field(default_factory=list)
    failed: list[PrismError] = field(default_factory=list)
    first: bool = True


def compare_models(
    models: Sequence[NamedModel],
    names: Sequence[str],
    texts: Texts,
    kept: Path,
    resamples: int,
    seed: int,
    *,
    by_layer: bool = True,
) -> Compared:
    """Every pair on every input set. All ranks call it together; one model is in memory at a time.

    Args:
        models: all of one layout, that of the processes; each encodes the texts by its own tokenizer.
        kept: folder of hidden states; what is there of the same checkpoint and the same tokens isn't computed again.
    """
    done = Compared()
    represented: list[Represented] = []
    with process_groups(models[0].layout, models[0].seed):
        for model, name in zip(models, names, strict=True):
            try:
                subject = model.open(kept / "weights")
                states = hidden_states(subject, texts, kept, f"{_file_name(name)}.{subject.identity[:8]}")
            except BadInput as error:
                done.failed.append(error)
                continue
            done.checkpoints.append({"name": name, "identity": subject.identity})
            represented.append(Represented.of(name, states))
        done.first = is_first()
        first_ranks(None)  # nobody reads converted weights any more
        if done.first:
            shutil.rmtree(kept / "weights", ignore_errors=True)
    for one, other in combinations(represented, 2):
        try:
            done.comparisons.append(compare(one, other, resamples, seed, by_layer=by_layer))
        except (BadInput, UsageError) as error:
            done.failed.append(error)
    return done


def rows(comparisons: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A flat row for each layer beside its like, and each cell of the matrices, for CSV."""
    flat = []
    for one in comparisons:
        head = {"before": one["before"], "after": one["after"]}
        for inputs in one["inputs"]:
            place = {**head, "inputs": inputs["name"]}
            flat += [{**place, "level": "layer", "layer_after": row["layer"], **row} for row in inputs["layers"]]
            for layer, (plain, debiased) in enumerate(zip(inputs["matrix"], inputs["debiased_matrix"], strict=True)):
                flat += [
                    {**place, "level": "matrix", "layer": layer, "layer_after": other, "cka": cka, "debiased": unbiased}
                    for other, (cka, unbiased) in enumerate(zip(plain, debiased, strict=True))
                ]
    return flat


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("_") or "model"
