"""The harness's model class over our generator and likelihoods.

Follows lm_eval/models/huggingface.py (0.4.13, MIT) in what is read and scored: special tokens, the prefix of an empty
context, the windows of long texts, what is cut where a context is too long. Import it after `require_harness`.
"""

from __future__ import annotations

import logging
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from prism.errors import BadInput
from prism.evaluate.harness.backend import Backend
from prism.evaluate.harness.decoding import Decoding, decoding_of
from prism.evaluate.harness.journal import Journal
from prism.evaluate.harness.tokenizer import HarnessTokenizer
from prism.generate.sampling import sample_seed

log = logging.getLogger("prism.evaluate")
_PURPOSE = 4
"""Sets the randomness of harness tasks apart from that of our own tasks and of RL."""

Encoded = tuple[tuple[str, str], list[int], list[int]]
"""A request as the harness's base class hands it over: texts, context and continuation as tokens."""


class HarnessModel(TemplateLM):
    """Implements `lm_eval.api.model.LM`. All ranks make one and run the harness alike; the first one's results count.

    Args:
        model: what scores and generates.
        journal: keeps answers; None keeps none.

    truncated: contexts that were cut on the left, as the harness's own model does.
    decodings: how each task's responses were drawn.
    """

    def __init__(self, model: Backend, tokenizer: HarnessTokenizer, journal: Journal | None = None) -> None:
        super().__init__()
        self._model, self._text, self._journal = model, tokenizer, journal or Journal()
        self.tokenizer = tokenizer.hf
        self.truncated = 0
        self.decodings: dict[str, Decoding] = {}

    @property
    def eot_token_id(self) -> int:
        return self._text.eos_id

    @property
    def prefix_token_id(self) -> int:
        return self._text.prefix_id

    @property
    def max_length(self) -> int:
        return self._model.context_length

    @property
    def tokenizer_name(self) -> str:
        return self._text.name

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        return self._text.encode(string, add_special_tokens)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return self._text.chat(chat_history, add_generation_prompt)

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        """Of continuations, and whether greedy decoding would say them."""
        found: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=True)  # the journal tells
        return found

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Of whole texts. A long one is read in windows; each token is predicted once, with the most context."""
        pieces: list[Encoded] = []
        owners: list[int] = []
        for index, request in enumerate(requests):
            windows = get_rolling_token_windows(
                self.tok_encode(request.args[0]), self.prefix_token_id, self.max_length, context_len=1
            )
            for context, predicted in map(make_disjoint_window, windows):
                pieces.append((("", ""), context, predicted))
                owners.append(index)
        totals = [0.0] * len(requests)
        for owner, (logprob, _) in zip(owners, self._loglikelihood_tokens(pieces), strict=True):
            totals[owner] += logprob
        return totals

    def _loglikelihood_tokens(self, requests: list[Encoded], **kwargs: Any) -> list[tuple[float, bool]]:
        pairs = [self._fit(*request) for request in requests]
        found = self._journal.answered(
            pairs,
            lambda some: [[one.logprob, one.greedy] for one in self._model.score(some)],
            "continuations scored",
        )
        return [(float(logprob), bool(greedy)) for logprob, greedy in found]

    def _fit(self, texts: tuple[str, str], context: list[int], continuation: list[int]) -> tuple[list[int], list[int]]:
        """Cuts the context on the left. The continuation's last token is never read: it may be one too many."""
        if not context or not 0 < len(continuation) <= self.max_length:
            raise BadInput(
                f"a continuation of {len(continuation)} tokens, {texts[1][:60]!r}, after {len(context)} of context",
                place="harness task",
                remedy=f"give both sides at least a token, and the continuation at most {self.max_length}",
            )
        room = self.max_length + 1 - len(continuation)
        if len(context) > room:
            self.truncated += 1
        return context[-room:], continuation

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Responses in the order of the requests, those with the same settings together.

        Raises:
            BadInput: the settings leave no room for a prompt.
            UsageError: a task's settings contradict themselves or aren't supported.
        """
        seeds = _seeds(requests)
        groups: dict[Decoding, list[int]] = {}
        for number, request in enumerate(requests):
            decoding = decoding_of(request.args[1], str(request.task_name))
            self.decodings[str(request.task_name)] = decoding
            groups.setdefault(decoding, []).append(number)
        texts = [""] * len(requests)
        for decoding, numbers in groups.items():
            prompts = [self._prompt(requests[number].args[0], decoding) for number in numbers]
            asked = [(prompt, seeds[number]) for prompt, number in zip(prompts, numbers, strict=True)]
            for number, text in zip(numbers, self._answered(asked, decoding), strict=True):
                texts[number] = text
        return texts

    def _answered(self, asked: Sequence[tuple[list[int], int]], decoding: Decoding) -> list[str]:
        def answer(some: Sequence[tuple[list[int], int]]) -> list[str]:
            return self._model.complete([prompt for prompt, _ in some], [seed for _, seed in some], decoding)

        return self._journal.answered(asked, answer, "responses generated")

    def _prompt(self, text: str, decoding: Decoding) -> list[int]:
        """The prompt's tokens, cut on the left to leave room for the longest response."""
        room = self.max_length - decoding.max_new_tokens
        if room <= 0:
            raise BadInput(
                f"responses of {decoding.max_new_tokens} tokens leave no room for a prompt",
                place=f"a context of {self.max_length}",
                remedy="set max_gen_toks in the task's `generation`",
            )
        tokens = self._text.encode_prompt(text)
        if len(tokens) > room:
            self.truncated += 1
        return tokens[-room:] or [self.prefix_token_id]


def _seeds(requests: Sequence[Instance]) -> list[int]:
    """Of each sample its own: by task, document and, where a request is repeated, by how often it was seen."""
    seen: Counter[tuple[int, int, int]] = Counter()
    seeds = []
    for request in requests:
        asked = (zlib.crc32(str(request.task_name).encode()), int(request.doc_id or 0), int(request.idx))
        seeds.append(sample_seed(_PURPOSE, *asked, seen[asked]))
        seen[asked] += 1
    return seeds
