"""What answers the harness: a model of this process group, whose replicas share the requests, or a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from prism.evaluate.harness.decoding import Decoding
from prism.evaluate.harness.tokenizer import HarnessTokenizer
from prism.generate.completions import CompletionsModel
from prism.generate.protocol import Request, Sampling, Scored, ScoringModel, Tokens
from prism.generate.stop_texts import StopTexts
from prism.megatron.parallel import data_parallel_rank, data_parallel_size, gather_over_data_parallel

Item = TypeVar("Item")
Result = TypeVar("Result")


class Backend(Protocol):
    """Scores and continues tokens. All ranks call it together, with the same arguments."""

    @property
    def context_length(self) -> int: ...

    def score(self, pairs: Sequence[tuple[Tokens, Tokens]]) -> list[Scored]:
        """See `ScoringModel.score`."""
        ...

    def complete(self, prompts: Sequence[Tokens], seeds: Sequence[int], decoding: Decoding) -> list[str]:
        """A response's text to each prompt, cut before the first text of `decoding.until`."""
        ...


class ModelBackend:
    """A model that the ranks hold; data-parallel replicas share the requests. See `Backend`."""

    def __init__(self, model: ScoringModel, tokenizer: HarnessTokenizer) -> None:
        self._model, self._tokenizer = model, tokenizer

    @property
    def context_length(self) -> int:
        return self._model.context_length

    def score(self, pairs: Sequence[tuple[Tokens, Tokens]]) -> list[Scored]:
        """See `Backend.score`."""
        return shared(pairs, lambda own: self._model.score([context for context, _ in own], [text for _, text in own]))

    def complete(self, prompts: Sequence[Tokens], seeds: Sequence[int], decoding: Decoding) -> list[str]:
        """See `Backend.complete`."""
        sampling = Sampling(
            decoding.temperature, decoding.top_p, decoding.max_new_tokens, stop_ids=self._tokenizer.stop_ids
        )
        until = StopTexts((*decoding.until, self._tokenizer.eos_text), self._tokenizer.decode)

        def answer(own: Sequence[Request]) -> list[str]:
            responses = self._model.generate_until(own, sampling, until)
            kept = [response.tokens[:-1] if response.stopped else response.tokens for response in responses]
            return [until.cut(self._tokenizer.decode(tokens)) for tokens in kept]

        return shared([Request(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)], answer)


class ServerBackend:
    """A server; one process asks. See `Backend`."""

    def __init__(self, model: CompletionsModel, tokenizer: HarnessTokenizer) -> None:
        self._model, self._tokenizer = model, tokenizer

    @property
    def context_length(self) -> int:
        """Two less than the server's: it takes a whole pair, and must have room to say a token."""
        return self._model.context_length - 2

    def score(self, pairs: Sequence[tuple[Tokens, Tokens]]) -> list[Scored]:
        """See `Backend.score`."""
        return self._model.score([context for context, _ in pairs], [text for _, text in pairs])

    def complete(self, prompts: Sequence[Tokens], seeds: Sequence[int], decoding: Decoding) -> list[str]:
        """See `Backend.complete`."""
        sampling = Sampling(decoding.temperature, decoding.top_p, decoding.max_new_tokens, stop_ids=())
        until = StopTexts((*decoding.until, self._tokenizer.eos_text), self._tokenizer.decode)
        answered = self._model.complete(prompts, seeds, sampling, decoding.until)
        return [until.cut(one.text) for one in answered]


def shared(items: Sequence[Item], work: Callable[[Sequence[Item]], list[Result]]) -> list[Result]:
    """`work` of the items, each data-parallel rank doing its share; all get the results, in the order of the items.

    A rank's share may be empty; the ranks of a replica have the same one.
    """
    size = data_parallel_size()
    parts = gather_over_data_parallel(work(items[data_parallel_rank() :: size]))
    return [parts[place % size][place // size] for place in range(len(items))]
