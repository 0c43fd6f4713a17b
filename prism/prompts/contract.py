"""The prompt contract: how a question looks to the model, where a response ends, and what export says of it.

The text itself is data_prep.formats' business, so that a prompt is always the beginning of a training document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from data_prep.api import Vocabulary, load_tokenizer
from data_prep.files import fingerprint, read_json, write_json, write_text
from data_prep.formats import THINK_CLOSE, THINK_OPEN, render_prompt

CHAT_TEMPLATE = """\
{%- for message in messages -%}
{%- if message['role'] in ('user', 'human') -%}User: {{ message['content'] | trim }}
{%- elif message['role'] in ('assistant', 'gpt') -%}Assistant: {{ message['content'] | trim }}
{%- else -%}{{ raise_exception('roles are user and assistant, found ' + message['role']) }}
{%- endif -%}
{%- if not loop.last -%}{{ '\\n' }}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '\\nAssistant:' }}{%- endif -%}
"""
"""Renders messages as `data_prep.formats.render_chat` does."""


@dataclass(frozen=True)
class Reasoned:
    """A response taken apart: what was thought, and the answer."""

    reasoning: str
    answer: str


def split_response(text: str) -> Reasoned | None:
    """`<think> reasoning </think> answer`, exactly one of each tag and neither part empty; else None."""
    text = text.strip()
    if not text.startswith(THINK_OPEN) or text.count(THINK_OPEN) != 1 or text.count(THINK_CLOSE) != 1:
        return None
    reasoning, _, answer = text.removeprefix(THINK_OPEN).partition(THINK_CLOSE)
    if not reasoning.strip() or not answer.strip():
        return None
    return Reasoned(reasoning.strip(), answer.strip())


class PromptContract:
    """Prompts and responses as tokens. One tokenizer, one end-of-document token, which is also the stop token."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    @classmethod
    def load(cls, tokenizer: Path, end_of_document: str = "<eos>") -> PromptContract:
        """Raises data_prep.errors.DataError when the file or the token is missing."""
        return cls(load_tokenizer(tokenizer, end_of_document))

    @property
    def vocab_size(self) -> int:
        return self._vocabulary.vocab_size

    @property
    def end_of_document_id(self) -> int:
        return self._vocabulary.end_of_document_id

    @cached_property
    def identity(self) -> str:
        """Of how text becomes tokens, however tokenizer.json is laid out."""
        content = read_json(self._vocabulary.path)
        parts = [content.get(key) for key in ("normalizer", "pre_tokenizer", "model", "added_tokens")]
        return fingerprint([*parts, self.end_of_document_id])

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Tokens that end a response."""
        return (self.end_of_document_id,)

    def encode_prompt(self, question: str) -> list[int]:
        """The question and one line break, as in mid-training."""
        return self._vocabulary.encode(render_prompt(question))

    def encode_prompts(self, questions: Sequence[str]) -> list[list[int]]:
        """See `encode_prompt`."""
        return [list(ids) for ids in self._vocabulary.encode_batch([render_prompt(one) for one in questions])]

    def encode_text(self, text: str) -> list[int]:
        """Plain text, nothing added."""
        return self._vocabulary.encode(text)

    def encode_document(self, text: str) -> list[int]:
        """Text and the end-of-document token."""
        return [*self._vocabulary.encode(text), self.end_of_document_id]

    def decode_response(self, tokens: Sequence[int], stopped: bool) -> str:
        """The response's text, without its stop token."""
        return self._vocabulary.decode(tokens[:-1] if stopped else tokens)

    @cached_property
    def generation_config(self) -> dict[str, Any]:
        """What vLLM and transformers read to know where a response ends."""
        return {"eos_token_id": list(self.stop_ids), "pad_token_id": self.end_of_document_id, "do_sample": True}

    def export(self, directory: Path) -> None:
        """Writes tokenizer.json, tokenizer_config.json with the chat template, generation_config.json."""
        end = self._vocabulary.end_of_document
        write_text(directory / "tokenizer.json", self._vocabulary.path.read_text())
        write_json(
            directory / "tokenizer_config.json",
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "eos_token": end,
                "pad_token": end,
                "chat_template": CHAT_TEMPLATE,
                "clean_up_tokenization_spaces": False,
            },
        )
        write_json(directory / "special_tokens_map.json", {"eos_token": end, "pad_token": end})
        write_json(directory / "generation_config.json", self.generation_config)
