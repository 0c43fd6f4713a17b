"""Hidden states of a stage on an input set: computed once, kept in the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from data_prep.files import fingerprint, read_jsonl
from data_prep.formats import render_question_answer
from prism.errors import BadInput
from prism.megatron.parallel import is_first_rank

if TYPE_CHECKING:
    from prism.generate import LanguageModel
    from prism.prompts import PromptContract


def input_texts(path: Path, count: int) -> list[str]:
    """The first `count` texts of a set: `text`, or `prompt` (or `question`) with its `answer` as a document.

    Raises:
        BadInput: the file is missing, or a row has neither.
    """
    if not path.is_file():
        raise BadInput("the input set is missing", place=str(path), remedy="correct analyze.cka.sets")
    texts = []
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
    return texts


def hidden_states(
    model: LanguageModel | None,
    contract: PromptContract,
    texts: Sequence[str],
    checkpoint_hash: str,
    kept: Path,
) -> Tensor | None:
    """Mean-pooled states of each layer, (layers, texts, hidden), from `kept` if it is of the same checkpoint and texts.

    Without a model, None when they would have to be computed.
    """
    key = fingerprint([checkpoint_hash, list(texts)])
    if kept.is_file():
        with safe_open(kept, framework="pt") as handle:
            if (handle.metadata() or {}).get("key") == key:
                states: Tensor = handle.get_tensor("states")
                return states
    if model is None:
        return None
    sequences = [contract.encode_document(text)[: model.context_length] for text in texts]
    states = model.hidden_states(sequences)
    if is_first_rank():
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_name(f".{kept.name}.tmp")
        save_file({"states": states.contiguous()}, temporary, metadata={"key": key})
        temporary.rename(kept)
    return states
