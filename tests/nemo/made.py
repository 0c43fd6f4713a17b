"""A small world of prompts, its tokenizer, and a recipe whose RL stage is an Aligner job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_prep.api import prepare
from data_prep.files import write_json, write_jsonl, write_text
from data_prep.formats import render_question_answer
from data_prep.schema import DataConfig
from prism.prompts import PromptContract
from prism.recipe import Recipe, load_recipe

MATH = [(f"Q calc {a} ; s1 + {b} ?", f"{a} + {b}", str(a + b)) for a in range(5) for b in range(5)]
SCIENCE = [("Q sci water under heat ? glass fire ice", "heat water gives fire", "fire")]
NESTED = ("Q calc 1 ?", "Q calc 1 ?\nQ calc 2 ?")
"""The second prompt begins with the first one's text."""


def rows() -> list[dict[str, Any]]:
    return [
        {"id": f"{domain}-{number}", "domain": domain, "prompt": question, "answer": answer, "verifier": {"kind": kind}}
        for domain, found, kind in (("math", MATH, "exact"), ("science", SCIENCE, "choice"))
        for number, (question, _, answer) in enumerate(found)
    ]


def contract(folder: Path) -> PromptContract:
    """Trains the tokenizer and leaves it as `folder/tokenizer.json`."""
    texts = [{"text": render_question_answer(question, answer, trace)} for question, trace, answer in MATH + SCIENCE]
    texts += [{"text": f"Q calc {number} ? 1 2 3 4 5 6 7 8 9 0 <think> </think>"} for number in range(10)]
    write_jsonl(folder / "raw.jsonl", texts)
    config = DataConfig.model_validate(
        {
            "tokenizer": {"kind": "word_level", "vocab_size": 400},
            "sources": {"raw": {"path": str(folder / "raw.jsonl")}},
        }
    )
    prepare(config, folder, log=lambda line: None)
    return PromptContract.load(folder / "tokenizer.json")


def recipe(folder: Path, *changes: str) -> Recipe:
    """The miniature with an Aligner job for its stage `rl`, prompts from a file, in a run folder below `folder`."""
    return load_recipe(
        "miniature",
        [
            f"run.directory={folder}",
            "rl.engine=aligner",
            "rl.aligner.validation_prompts=4",
            "cluster.devices_per_node=1",
            "rl.steps=3",
            "rl.prompts_per_step=8",
            "rl.responses_per_prompt=4",
            "rl.max_response_tokens=16",
            "rl.mix={math: 100}",
            f"rl.prompts={{math: {{path: {folder}/math.jsonl}}}}",
            "pipeline.rl.prompts_from=null",
            *changes,
        ],
    )


def run_folder(folder: Path) -> None:
    """What stages before `rl` leave: tokenizer, export, prompts."""
    run = folder / "miniature"
    (run / "data").mkdir(parents=True, exist_ok=True)
    contract(folder)
    write_text(run / "data" / "tokenizer.json", (folder / "tokenizer.json").read_text())
    write_json(run / "stages" / "mid" / "hf" / "config.json", {})
    write_jsonl(folder / "math.jsonl", [row for row in rows() if row["domain"] == "math"])
