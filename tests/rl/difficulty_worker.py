"""Measures made-up prompts with a made-up generator, in processes that can be killed: difficulty_worker.py ROOT FOLDER
PAUSE_S. The tokenizer lies in ROOT; FOLDER is the stage's."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from data_prep.api import prepare
from data_prep.files import write_jsonl
from data_prep.formats import render_question_answer
from data_prep.schema import DataConfig
from prism.generate.protocol import Request, Response, Sampling
from prism.megatron.parallel import Layout, process_groups
from prism.prompts import PromptContract
from prism.recipe import DifficultyConfig, Recipe, RlConfig, load_recipe
from prism.rl.difficulty import measure, sampler_of
from prism.rl.prompts import RlPrompt

PROMPTS, SAMPLES, CONTEXT = 61, 4, 20
WORDS = [str(number) for number in range(10)]


def made_up_prompts() -> list[RlPrompt]:
    """Digits to repeat; one prompt is too long to be answered."""
    prompts = []
    for number in range(PROMPTS):
        question = "what is " + " ".join(str(number).zfill(2)) + (" again" * CONTEXT if number == 7 else "")
        row = {
            "id": f"p{number}",
            "prompt": question,
            "answer": str(number % 10),
            "verifier": {"kind": "exact"},
        }
        prompts.append(RlPrompt("math", question, row))
    return prompts


def make_contract(root: Path) -> PromptContract:
    """Trains a word-level tokenizer in `root`, unless it is there."""
    tokenizer = root / "data" / "tokenizer.json"
    if not tokenizer.is_file():
        text = render_question_answer("what is again " + " ".join(WORDS), "so", "it is " + " ".join(WORDS))
        write_jsonl(root / "raw.jsonl", [{"text": text}])
        values = {"tokenizer": {"kind": "word_level"}, "sources": {"raw": {"path": str(root / "raw.jsonl")}}}
        prepare(DataConfig.model_validate(values), root / "data", log=lambda line: None)
    return PromptContract.load(tokenizer)


class MadeUpGenerator:
    """Answers with a digit that the request's seed alone decides; now and then without a stop token."""

    def __init__(self, contract: PromptContract, pause_s: float) -> None:
        self._contract = contract
        self._pause_s = pause_s

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
        time.sleep(self._pause_s)
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Response:
        stream = random.Random(request.seed)
        tokens = self._contract.encode_text(f"<think> it is so </think> {stream.choice(WORDS)}")
        stopped = stream.random() < 0.9
        tokens = [*tokens, self._contract.end_of_document_id] if stopped else tokens
        return Response(tuple(tokens), tuple(-1.0 for _ in tokens), stopped)


def settings() -> tuple[Recipe, RlConfig]:
    recipe = load_recipe("miniature")
    return recipe, recipe.rl.model_copy(update={"difficulty": DifficultyConfig(samples=SAMPLES)})


def main() -> None:
    root, folder, pause_s = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    contract = make_contract(root)
    recipe, config = settings()
    with process_groups(Layout(), 1):
        roll = sampler_of(recipe, config, contract, MadeUpGenerator(contract, pause_s), CONTEXT)
        measure(made_up_prompts(), roll, folder, at_once=2)


if __name__ == "__main__":
    main()
