"""Prompt sets of RL: from sources of questions to rows with a verifiable answer."""

from data_prep.prompts.card import PromptSetCard, SourceCount, read_prompt_card
from data_prep.prompts.make import prepare_prompts, prompts_path
from data_prep.prompts.row import NoPrompt, prompt_row

__all__ = [
    "NoPrompt",
    "PromptSetCard",
    "SourceCount",
    "prepare_prompts",
    "prompt_row",
    "prompts_path",
    "read_prompt_card",
]
