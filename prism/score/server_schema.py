"""What the reward server reads and writes, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from prism.score.rewards import Answered, Judged
from prism.score.verdict import PromptRow

_MOST_ERRORS = 10


class BadRequest(Exception):
    """A request that can't be answered, with its HTTP status. `details` is JSON."""

    def __init__(self, status: int, message: str, details: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PromptMessage(BaseModel):
    """A line of a prompt set; other columns are let through, as in the file."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    prompt: str = ""
    answer: Any
    verifier: dict[str, Any]


class ItemMessage(_Message):
    """A response and its prompt: a row, or the id of one that the server knows."""

    prompt: PromptMessage | None = None
    prompt_id: str | int | None = None
    response: str
    stopped: bool
    tokens: list[Annotated[int, Field(ge=0)]] | None = None

    @model_validator(mode="after")
    def _one_prompt(self) -> Self:
        if (self.prompt is None) == (self.prompt_id is None):
            raise ValueError("give either prompt or prompt_id")
        return self


class ScoreMessage(_Message):
    """A batch."""

    items: list[ItemMessage]


def read_batch(body: bytes, prompts: Mapping[str, PromptRow], most_items: int) -> list[Answered]:
    """The responses to judge. Without tokens, words stand for them.

    Raises:
        BadRequest: 400 for what isn't JSON, 422 for other fields than these, 413 for too many items, 404 for an
            unknown prompt id.
    """
    try:
        message = ScoreMessage.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error) from None
    if len(message.items) > most_items:
        raise BadRequest(413, f"{len(message.items)} items; this server takes {most_items} at once")
    unknown = [
        str(item.prompt_id) for item in message.items if item.prompt is None and str(item.prompt_id) not in prompts
    ]
    if unknown:
        raise BadRequest(404, f"unknown prompt ids: {', '.join(unknown[:_MOST_ERRORS])}")
    return [_answered(item, prompts) for item in message.items]


def result(judged: Judged) -> dict[str, Any]:
    """A result, as JSON."""
    verdict = judged.verdict
    return {
        "reward": judged.reward,
        "terms": dict(judged.terms),
        "solved": judged.solved,
        "verdict": {"correct": verdict.correct, "formatted": verdict.formatted, "answer": verdict.answer},
    }


def _answered(item: ItemMessage, prompts: Mapping[str, PromptRow]) -> Answered:
    row = prompts[str(item.prompt_id)] if item.prompt is None else item.prompt.model_dump()
    tokens = _words(item.response) if item.tokens is None else item.tokens
    return Answered(row, item.response, tokens, item.stopped)


def _words(text: str) -> list[int]:
    numbers: dict[str, int] = {}
    return [numbers.setdefault(word, len(numbers)) for word in text.split()]


def _invalid(error: ValidationError) -> BadRequest:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return BadRequest(400, found[0]["msg"])
    details = [{"at": ".".join(map(str, one["loc"])), "message": one["msg"]} for one in found[:_MOST_ERRORS]]
    return BadRequest(422, f"{error.error_count()} fields are wrong", details)
