"""What is evaluated: a stage's checkpoint, a published model, or a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prism.evaluate.task import data_path
from prism.generate.load import load_language_model
from prism.megatron import checkpoint
from prism.megatron.checkpoint.ranks import first_ranks, is_first
from prism.prompts import PromptContract

if TYPE_CHECKING:
    from prism.evaluate.harness.backend import Backend
    from prism.evaluate.harness.tokenizer import HarnessTokenizer
    from prism.evaluate.task import AnyTask
    from prism.recipe import Recipe


@dataclass(frozen=True)
class Subject:
    """A model and how it is asked.

    name: in the log.
    identity: of its content; results of another are made anew.
    load: makes the model, once; all ranks call it together.
    folder: of its Hugging Face tokenizer; None: the contract's, written when it is needed.
    data: paths by task, in place of the tasks' own.
    data_directory: where `world/` and `sources/` of a task's path lie.
    """

    name: str
    identity: str
    contract: PromptContract
    load: Callable[[], Any]
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
        from prism.evaluate.harness.backend import ModelBackend

        return ModelBackend(model, tokenizer)


def stage_subject(recipe: Recipe, stage: str) -> Subject:
    """The newest checkpoint of a recipe's stage. Call it inside process groups.

    Raises:
        BadInput: there is none.
    """
    source = checkpoint.require_latest(recipe.stage_directory(stage) / "checkpoints")
    contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
    return Subject(
        name=stage,
        identity=source.identity,
        contract=contract,
        load=lambda: load_language_model(recipe, source, contract.vocab_size),
        data=recipe.evaluate.data,
        data_directory=recipe.data_directory,
    )
