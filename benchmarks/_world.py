"""The miniature's data and an initialised model on disk, as ours and as Hugging Face has it; response lengths."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from prism.generate.megatron import MegatronLanguageModel
from prism.megatron import checkpoint
from prism.megatron.parallel import Layout
from prism.megatron.trainee import Trainee
from prism.pipeline.node import dispatch
from prism.prompts import PromptContract
from prism.prompts.export import export_checkpoint
from prism.recipe import Recipe, load_recipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CONTEXT = 1024
MEDIAN, SPREAD = 40, 1.0
_WORDS = {
    "general": 20_000, "song": 12_000, "arithmetic": 6_000, "raw_questions": 6_000,
    "math": 30_000, "code": 16_000, "science": 16_000,
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """A recipe with its data, and an initialised model."""

    recipe: Recipe
    weights: checkpoint.Checkpoint
    hf: Path
    contract: PromptContract

    @property
    def vocabulary(self) -> int:
        return self.contract.vocab_size


def prepared(name: str, root: Path) -> World:
    """Args: name: of a shipped recipe, of which only the data stage runs. Call it inside process groups."""
    overrides = [
        f"run.directory={root}", f"run.name={name}", f"model.max_position_embeddings={CONTEXT}",
        *(f"data.world.tokens.{source}={words}" for source, words in _WORDS.items()),
    ]  # fmt: skip
    recipe = load_recipe(name, overrides)
    dispatch(recipe, recipe.run_directory, "data")
    contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
    trainee = Trainee(recipe.model, contract.vocab_size, Layout(), recipe.rl.optimizer)
    trainee.initialise(seed=1)
    weights = trainee.save(root / f"{name}.start", 0, {})
    hf = root / f"{name}.hf"
    export_checkpoint(recipe, weights, hf)
    return World(recipe, weights, hf, contract)


def generator(world: World, slots: int) -> MegatronLanguageModel:
    trainee = Trainee(world.recipe.model, world.vocabulary, Layout(), world.recipe.rl.optimizer)
    trainee.load_weights(world.weights)
    return MegatronLanguageModel(trainee.chunk, world.vocabulary, CONTEXT, slots)


def peer(world: World) -> PreTrainedModel:
    """The same weights in transformers; no token ends a response."""
    from transformers import AutoModelForCausalLM

    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(world.hf, dtype=torch.float32)
    model.generation_config.eos_token_id = None
    return model.eval()


def drawn_lengths(count: int, longest: int) -> list[int]:
    """Lognormal, median 40; of a mean of about 65 with a few at the end."""
    stream = random.Random(5)
    return [max(1, min(longest, round(MEDIAN * stream.lognormvariate(0, SPREAD)))) for _ in range(count)]
