"""Instruction formats of multiple-choice prompts, drawn at random (section 9: science prompts of the balanced mix)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prism.errors import BadInput
from prism.rl.prompt_draw import prompt_number
from prism.rl.prompts import RlPrompt
from prism.score.choice_templates import ChoiceTemplate

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def with_template(prompt: RlPrompt, templates: Mapping[str, ChoiceTemplate], seed: int) -> RlPrompt:
    """A multiple-choice prompt with one of the templates, which (seed, prompt) decides; others as they are.

    The prompt becomes the question, its lettered options and the template's instruction; the row's `verifier.template`
    names it, so that the answer is looked for where the instruction asks for it.

    Args:
        templates: by id.

    Raises:
        BadInput: a multiple-choice prompt whose row doesn't hold question and options apart.
    """
    verifier = prompt.row.get("verifier", {})
    if verifier.get("kind") != "choice":
        return prompt
    question, choices = verifier.get("question"), verifier.get("choices")
    if not question or not choices or len(choices) > len(_LETTERS):
        raise BadInput(
            "no question and options to put an instruction to",
            place=f"prompt {prompt.row.get('id', prompt.question)}"[:200],
            remedy="give the row verifier.question and verifier.choices, or leave rl.difficulty...templates false",
        )
    names = sorted(templates)
    name = names[_pick(prompt, seed, len(names))]
    text = f"{question}\n\n{lettered(choices)}\n\n{templates[name].instruction}"
    row: dict[str, Any] = {**prompt.row, "prompt": text, "verifier": {**verifier, "template": name}}
    return RlPrompt(prompt.domain, text, row, prompt.correct_before, prompt.samples_before)


def lettered(choices: list[str]) -> str:
    """A) first, B) second ..., one a line."""
    return "\n".join(f"{letter}) {choice}" for letter, choice in zip(_LETTERS, choices, strict=False))


def _pick(prompt: RlPrompt, seed: int, count: int) -> int:
    mixed = (prompt_number(prompt) ^ (seed * 0x9E3779B97F4A7C15)) & ((1 << 63) - 1)
    return mixed % count
