"""Runs in TRL's environment: _trl_steps.py MODEL LENGTHS PROMPTS GROUP STEPS prints the seconds of each step.

Every response gets its given length: its end token is forced there and forbidden before, as if it had been drawn.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessor, LogitsProcessorList
from trl import GRPOConfig, GRPOTrainer

END = 0


class ForcedLengths(LogitsProcessor):
    def __init__(self, width: int, lengths: torch.Tensor) -> None:
        self.width, self.lengths = width, lengths

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        number = input_ids.shape[1] - self.width + 1  # of the token to come
        ends = self.lengths[: len(scores)] <= number
        scores[:, END] = float("-inf")
        scores[ends] = float("-inf")
        scores[ends, END] = 0.0
        return scores


class Clock(transformers.TrainerCallback):
    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        now = time.perf_counter()
        if hasattr(self, "began"):
            self.seconds.append(now - self.began)
        self.began = now

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.perf_counter() - self.began)


def main(folder: str, lengths: list[int], prompts: int, group: int, steps: int) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    generate, wanted = model.generate, torch.tensor(lengths)

    def forced(*arguments: Any, **keywords: Any) -> Any:
        ids = keywords.get("input_ids")
        processors = LogitsProcessorList([ForcedLengths(ids.shape[1], wanted)])
        return generate(*arguments, **keywords, logits_processor=processors)

    model.generate = forced
    questions = Path(folder, "prompts.json")
    rows = json.loads(questions.read_text())
    settings = GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        max_steps=steps,
        per_device_train_batch_size=64,
        gradient_accumulation_steps=prompts * group // 64,
        num_generations=group,
        max_completion_length=max(lengths),
        learning_rate=3e-4,
        beta=0.01,
        epsilon=0.2,
        epsilon_high=0.28,
        loss_type="dapo",
        temperature=1.0,
        top_k=0,
        max_grad_norm=1.0,
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        gradient_checkpointing=False,
        disable_tqdm=True,
    )
    clock = Clock()

    def reward(completions: list[str], **_: Any) -> list[float]:
        return [float(len(text) % 3) for text in completions]

    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=settings,
        train_dataset=Dataset.from_list([{"prompt": text} for text in rows]),
        processing_class=tokenizer,
        callbacks=[clock],
    )
    trainer.train()
    print(json.dumps(clock.seconds))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
