"""Text to tokens by the rules of the harness's own `hf` model, so that both read the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from data_prep.files import read_json
from prism.errors import BadInput


class HarnessTokenizer:
    """The tokenizer of a Hugging Face folder.

    Args:
        folder: has tokenizer.json and tokenizer_config.json.
        add_bos: whether texts begin with the beginning-of-text token; None leaves it to the tokenizer.

    Raises:
        BadInput: there is no tokenizer, or nothing ends a text.
    """

    def __init__(self, folder: Path, add_bos: bool | None = None) -> None:
        from transformers import AutoTokenizer

        if not (folder / "tokenizer_config.json").is_file():
            raise BadInput("no tokenizer_config.json", place=str(folder), remedy="name a whole Hugging Face folder")
        own = {} if add_bos is None else {"add_bos_token": add_bos}
        self.hf: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, **own)
        self._folder, self._add_bos = folder, add_bos
        if self.hf.eos_token_id is None:
            raise BadInput("no token ends a text", place=str(folder), remedy="name eos_token in tokenizer_config.json")

    @property
    def name(self) -> str:
        return self._folder.name

    @property
    def eos_id(self) -> int:
        return int(self.hf.eos_token_id)

    @property
    def prefix_id(self) -> int:
        """What an empty context is replaced by: the beginning-of-text token, else the end-of-text token."""
        return int(self.eos_id if self.hf.bos_token_id is None else self.hf.bos_token_id)

    @cached_property
    def eos_text(self) -> str:
        return str(self.hf.decode(self.eos_id, skip_special_tokens=False))

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """The end-of-text token and those that generation_config.json ends responses with."""
        path = self._folder / "generation_config.json"
        named = read_json(path).get("eos_token_id") if path.is_file() else None
        more = named if isinstance(named, list) else [] if named is None else [named]
        return tuple(dict.fromkeys([self.eos_id, *map(int, more)]))

    def encode(self, text: str, add_special_tokens: bool | None = None) -> list[int]:
        """Special tokens as told, else as the tokenizer does; no second prefix token before a text that has one."""
        if add_special_tokens is None and text.startswith(self._prefix_text):
            add_special_tokens = False
        return self._encode(text, add_special_tokens)

    def encode_prompt(self, text: str) -> list[int]:
        """As `encode`; here only the beginning-of-text token counts as a prefix."""
        begins = self.hf.bos_token is not None and text.startswith(self.hf.bos_token)
        return self._encode(text, False if begins else None)

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self.hf.decode(list(tokens), skip_special_tokens=True))

    def chat(self, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool) -> str:
        """Messages by the tokenizer's chat template.

        Raises:
            BadInput: it has none, or it refuses the messages.
        """
        from jinja2 import TemplateError

        try:
            return str(
                self.hf.apply_chat_template(
                    list(messages),
                    tokenize=False,
                    add_generation_prompt=add_generation_prompt,
                    continue_final_message=not add_generation_prompt,
                )
            )
        except (TemplateError, ValueError) as error:
            raise BadInput(
                f"the chat template doesn't fit: {error}",
                place=str(self._folder),
                remedy="leave chat_template out of the task, or give the tokenizer one that takes its messages",
            ) from None

    @cached_property
    def _prefix_text(self) -> str:
        return str(self.hf.decode(self.prefix_id))

    def _encode(self, text: str, add_special_tokens: bool | None) -> list[int]:
        wanted = self._add_bos if add_special_tokens is None else add_special_tokens
        told = {} if wanted is None else {"add_special_tokens": wanted}
        return [int(token) for token in self.hf.encode(text, **told)]
