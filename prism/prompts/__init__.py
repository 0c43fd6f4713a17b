"""The prompt contract: how a prompt looks in mid-training, RL, evaluation and export."""

from prism.prompts.contract import CHAT_TEMPLATE, PromptContract, Reasoned, split_response

__all__ = ["CHAT_TEMPLATE", "PromptContract", "Reasoned", "split_response"]
