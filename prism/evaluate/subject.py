"""What is evaluated: a stage's checkpoint, a published model, or a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.files import fingerprint
from prism.evaluate.task import data_path
from prism.formats.files import step_name
from prism.generate.completions import CompletionsModel
from prism.generate.load import load_language_model
from prism.generate.megatron import MegatronLanguageModel
from prism.megatron import checkpoint
from prism.megatron.checkpoint.ranks import first_ranks, is_first
from prism.megatron.trainee import build_frozen
from prism.models.convert import hf_to_megatron
from prism.models.family import identify
from prism.models.fragment import end_of_document
from prism.prompts import PromptContract

if TYPE_CHECKING:
    from prism.evaluate.harness.backend import Backend
    from prism.evaluate.harness.tokenizer import HarnessTokenizer
    from prism.evaluate.task import AnyTask
    from prism.megatron.checkpoint import Checkpoint
    from prism.megatron.parallel import Layout
    from prism.recipe import ModelConfig, Recipe


@dataclass(frozen=True)
class Subject:
    """A model and how it is asked.

    name: in the log.
    identity: of its content; results of another are made anew.
    load: makes the model, once; all ranks call it together.
    weights: the checkpoint that `load` takes them from, made where it is missing; all ranks call it together. None of
        a server.
    model: its architecture; None of a server.
    folder: of its Hugging Face tokenizer; None: the contract's, written when it is needed.
    data: paths by task, in place of the tasks' own.
    data_directory: where `world/` and `sources/` of a task's path lie.
    """

    name: str
    identity: str
    contract: PromptContract
    load: Callable[[], Any]
    weights: Callable[[], Checkpoint] | None = None
    model: ModelConfig | None = None
    folder: Path | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    data_directory: Path = Path()

    def data_of(self, task: AnyTask) -> Path:
        """What is said of the task by its name (with or without its length), else what the task says."""
        own = self.data.get(task.name, self.data.get(task.name.partition("@")[0], task.path))
        return data_path(own, self.data_directory)

    def tokenizer(self, results: Path) -> Path:
        """The folder of its tokenizer. Collective: the first rank writes the contract's below `results`."""
        if self.folder is not None:
            return self.folder
        if is_first():
            self.contract.export(results / "tokenizer")
        return first_ranks(results / "tokenizer")

    def backend(self, model: Any, tokenizer: HarnessTokenizer) -> Backend:
        """The model as lm-evaluation-harness asks it."""
        from prism.evaluate.harness.backend import ModelBackend, ServerBackend

        return (ServerBackend if isinstance(model, CompletionsModel) else ModelBackend)(model, tokenizer)


def folder_subject(
    folder: Path, work: Path, layout: Layout, *, precision: str = "fp32", batch_size: int = 256
) -> Subject:
    """A Hugging Face folder's model, which is converted into `work` first. Call it inside process groups.

    Args: batch_size: sequences that decode together.

    Raises:
        BadInput: the model is unknown, its tensors don't fit, or it has no tokenizer.json.
    """
    model = identify(folder)
    contract = PromptContract.load(folder / "tokenizer.json", end_of_document(folder))
    files = [(file.name, file.stat()) for file in sorted(folder.iterdir())]
    identity = fingerprint([precision, [(name, found.st_size, found.st_mtime_ns) for name, found in files]])
    place = work / identity[:16]

    def weights() -> Checkpoint:
        if is_first() and not (place / step_name(0)).is_dir():
            hf_to_megatron(folder, place)
        first_ranks(None)  # the others wait for it
        return checkpoint.require_latest(place)

    def load() -> MegatronLanguageModel:
        assert model.vocab_size is not None  # every config.json states it
        module = build_frozen(model, model.vocab_size, layout, precision)
        checkpoint.load(weights(), module)
        return MegatronLanguageModel(module, model.vocab_size, model.max_position_embeddings, batch_size)

    return Subject(folder.name, identity, contract, load, weights, model, folder)


def server_subject(url: str, model: str, tokenizer: Path, context_length: int | None = None) -> Subject:
    """A model behind an OpenAI-compatible server.

    Args:
        tokenizer: Hugging Face folder of the model; its weights aren't read.
        context_length: None asks the server.

    Raises:
        BadInput: there is no tokenizer.json, or nothing says which token ends a text.
    """
    contract = PromptContract.load(tokenizer / "tokenizer.json", end_of_document(tokenizer))

    def load() -> CompletionsModel:
        return CompletionsModel(
            url, model, contract.encode_text, contract.end_of_document_id, context_length=context_length
        )

    return Subject(model, fingerprint([url, model]), contract, load, folder=tokenizer)


def stage_subject(recipe: Recipe, stage: str, layout: Layout | None = None, precision: str = "fp32") -> Subject:
    """The newest checkpoint of a recipe's stage. Call it inside process groups.

    Args: layout: None is the recipe's own.

    Raises:
        BadInput: there is none.
    """
    source = checkpoint.require_latest(recipe.stage_directory(stage) / "checkpoints")
    contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
    return Subject(
        name=stage,
        identity=source.identity if precision == "fp32" else fingerprint([source.identity, precision]),
        contract=contract,
        load=lambda: load_language_model(recipe, source, contract.vocab_size, layout, precision),
        weights=lambda: source,
        model=recipe.model,
        data=recipe.evaluate.data,
        data_directory=recipe.data_directory,
    )
