"""Compares two stages: weights and representations."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from data_prep.files import write_json
from prism.analyze.cka import cka_matrix, layer_similarities
from prism.analyze.hidden import hidden_states, input_texts
from prism.analyze.weights import Asked, analyse, open_source, write_analysis
from prism.errors import BadInput
from prism.generate.load import load_language_model
from prism.megatron import checkpoint
from prism.megatron.layout import layout_of
from prism.megatron.parallel import is_first_rank, process_groups
from prism.prompts import PromptContract

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from prism.recipe import Recipe

SCHEMA_VERSION = 1


def run_analysis(recipe: Recipe, before: str, after: str) -> None:
    """Writes analysis/weights/<before>__<after>.json and analysis/cka/<before>__<after>.json.

    Raises:
        BadInput: a checkpoint, its export or an input set is missing, or the stages hold different models.
    """
    folder, name = recipe.run_directory / "analysis", f"{before}__{after}.json"
    head = {"schema_version": SCHEMA_VERSION, "before": before, "after": after}
    with process_groups(layout_of(recipe.cluster), recipe.run.seed):
        if is_first_rank():
            _compare_weights(recipe, before, after, folder / "weights" / name)
        inputs = representations(recipe, before, after)
        if is_first_rank():
            least = min((layer["cka"] for part in inputs for layer in part["layers"]), default=None)
            write_json(folder / "cka" / name, {**head, "inputs": inputs, "minimum": least})


def _compare_weights(recipe: Recipe, before: str, after: str, output: Path) -> None:
    """What is finished when it is killed is kept beside `output`."""
    sources = [open_source(str(recipe.stage_directory(stage) / "hf"), stage) for stage in (before, after)]
    done = analyse(sources, Asked(((0, 1),), tuple(recipe.analyze.thresholds_percent)), output)
    write_analysis(output, done.comparisons[0].as_json())


def representations(recipe: Recipe, before: str, after: str) -> list[dict[str, Any]]:
    """CKA of every layer, and of every layer with every other one, on every input set.

    Raises:
        BadInput: a layer's states aren't finite, or are the same for all inputs.
    """
    settings = recipe.analyze.cka
    texts = {name: input_texts(recipe.resolve(path), settings.inputs) for name, path in settings.sets.items()}
    states = {stage: _states(recipe, stage, texts) for stage in (before, after)}
    result = []
    for name in texts:
        layers = layer_similarities(states[before][name], states[after][name], settings.resamples, recipe.run.seed)
        rows = [
            {"layer": number, "cka": layer.value, "low": layer.low, "high": layer.high, "debiased": layer.debiased}
            for number, layer in enumerate(layers)
        ]
        _check(rows, name, before, after)
        matrix = cka_matrix(states[before][name], states[after][name])
        result.append(
            {"name": name, "layers": rows, "matrix": [[round(one, 6) for one in row] for row in matrix.tolist()]}
        )
    return result


def _check(rows: list[dict[str, Any]], name: str, before: str, after: str) -> None:
    for row in rows:
        if not isfinite(row["cka"]):
            raise BadInput(
                f"the hidden states of layer {row['layer']} on {name} aren't finite, or all alike",
                place=f"{before} or {after}",
                remedy="look for NaN in the checkpoint (prism convert inspect), or use inputs that differ",
            )


def _states(recipe: Recipe, stage: str, texts: dict[str, list[str]]) -> dict[str, Tensor]:
    contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
    source = checkpoint.require_latest(recipe.stage_directory(stage) / "checkpoints")
    model = None
    found: dict[str, Tensor] = {}
    for name, part in texts.items():
        kept = recipe.run_directory / "analysis" / "hidden" / f"{stage}__{name}.safetensors"
        states = hidden_states(model, contract, part, source.identity, kept)
        if states is None:
            model = model or load_language_model(recipe, source, contract.vocab_size)
            states = hidden_states(model, contract, part, source.identity, kept)
        assert states is not None
        found[name] = states
    return found
