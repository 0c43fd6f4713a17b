"""Hidden states of a model on input sets: computed once, kept on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from data_prep.files import fingerprint, read_jsonl, write_bytes
from data_prep.formats import render_question_answer
from prism.analyze.cka import LEAST_INPUTS
from prism.errors import BadInput
from prism.megatron.checkpoint.ranks import first_ranks, is_first

if TYPE_CHECKING:
    from prism.evaluate.subject import Subject

Texts = Mapping[str, Sequence[str]]
"""Input sets by name."""


def input_texts(path: Path, count: int) -> list[str]:
    """The first `count` texts of a set: `text`, or `prompt` (or `question`) with its `answer` as a document.

    Raises:
        BadInput: the file is missing, a row has neither, or there are fewer than four.
    """
    if not path.is_file():
        raise BadInput("the input set is missing", place=str(path), remedy="correct analyze.cka.sets, or --inputs")
    texts: list[str] = []
    for number, row in enumerate(read_jsonl(path), start=1):
        question = row.get("prompt", row.get("question"))
        if "text" in row:
            texts.append(str(row["text"]))
        elif question is not None and "answer" in row:
            texts.append(render_question_answer(str(question), str(row["answer"])))
        else:
            raise BadInput("neither text nor prompt and answer", place=f"{path}:{number}", remedy="add a column")
        if len(texts) == count:
            break
    if len(texts) < LEAST_INPUTS:
        raise BadInput(
            f"{len(texts)} inputs, CKA needs at least {LEAST_INPUTS}",
            place=str(path),
            remedy="give a larger set; the paper's have 200",
        )
    return texts


def hidden_states(subject: Subject, texts: Texts, folder: Path, stem: str) -> dict[str, Tensor]:
    """Mean-pooled states of each layer on each set, (layers, texts, hidden), float64. All ranks call it together.

    What `folder` holds of the same checkpoint and the same tokens (`<stem>__<set>.safetensors`) is taken from there;
    only if some of it is missing is the model loaded. A set is kept as soon as it is computed.

    Raises:
        BadInput: the checkpoint is damaged, or a state isn't finite.
    """
    model = None
    found: dict[str, Tensor] = {}
    for name, part in texts.items():
        documents = [subject.contract.encode_document(text) for text in part]
        kept, key = folder / f"{stem}__{name}.safetensors", fingerprint([subject.identity, documents])
        states = _read(kept, key)
        if not first_ranks(states is not None):
            model = model or subject.load()
            context = model.context_length
            states = model.hidden_states([document[:context] for document in documents])
            _refuse_invalid(states, subject.name, name)
            if is_first():
                write_bytes(kept, save({"states": states.contiguous()}, {"key": key}))
        found[name] = states if states is not None else _require(kept, key)
    return found


def _read(kept: Path, key: str) -> Tensor | None:
    """What is kept; None where it is of something else, damaged or not there."""
    if not kept.is_file():
        return None
    try:
        with safe_open(kept, framework="pt") as handle:
            if (handle.metadata() or {}).get("key") != key:
                return None
            states: Tensor = handle.get_tensor("states")
            return states
    except (SafetensorError, OSError):
        return None


def _require(kept: Path, key: str) -> Tensor:
    """On a rank that doesn't see what the first one sees."""
    states = _read(kept, key)
    if states is None:
        raise BadInput("only the first rank sees it", place=str(kept), remedy="use a folder that all machines share")
    return states


def _refuse_invalid(states: Tensor, model: str, inputs: str) -> None:
    for layer, values in enumerate(states):
        if not values.isfinite().all():
            raise BadInput(
                f"the hidden states of layer {layer} on {inputs} aren't finite",
                place=model,
                remedy="look for NaN in the checkpoint (prism convert inspect)",
            )
