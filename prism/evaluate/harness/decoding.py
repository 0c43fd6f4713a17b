"""How a harness task wants responses drawn. What contradicts itself is refused, never decoded greedily in silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from prism.errors import UsageError

MAX_NEW_TOKENS = 256
"""The harness's own, where a task names none."""

_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_ONLY_SAMPLING = ("top_k", "min_p", "typical_p")
"""Without effect on greedy decoding."""
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "top_k": (None, 0, -1),
    "min_p": (None, 0),
    "typical_p": (None, 1),
    "num_beams": (None, 1),
    "repetition_penalty": (None, 1),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "length_penalty": (None, 1),
    "no_repeat_ngram_size": (None, 0),
    "n": (None, 1),
}
"""Values of keys that we don't have under which they change nothing."""


@dataclass(frozen=True)
class Decoding:
    """Temperature 0 is greedy. `until`: texts that end a response."""

    temperature: float
    top_p: float
    max_new_tokens: int
    until: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "until": list(self.until), "do_sample": self.temperature > 0}


def decoding_of(settings: Mapping[str, Any], task: str) -> Decoding:
    """The harness's `generation_kwargs` as what we do.

    | do_sample | temperature | is |
    |---|---|---|
    | absent | absent, 0 | greedy |
    | absent | above 0 | sampling |
    | false | absent, 0 | greedy |
    | true | absent | sampling at 1, the default of transformers (the harness: greedy, or an error) |
    | true | above 0 | sampling |
    | false | above 0 | refused (the harness: greedy) |
    | true | 0 | refused (the harness: greedy, or an error) |

    Raises:
        UsageError: keys contradict each other, or one isn't supported and not neutral.
    """
    given = dict(settings)
    until = given.pop("until", None) or []
    lengths = {name: given.pop(name) for name in _LENGTHS if given.get(name) is not None}
    if len(set(lengths.values())) > 1:
        raise _refused(f"{lengths} contradict each other", task, "name one length")
    temperature = _temperature(given.pop("do_sample", None), given.pop("temperature", None), task)
    top_p = given.pop("top_p", None)
    for name, value in given.items():
        neutral = value in _NEUTRAL.get(name, (None,)) or (temperature == 0 and name in _ONLY_SAMPLING)
        if not neutral and name not in _LENGTHS:
            raise _refused(f"{name}: {value} isn't supported", task, "leave it out")
    return Decoding(
        temperature,
        1.0 if top_p is None or temperature == 0 else float(top_p),
        int(next(iter(lengths.values()), MAX_NEW_TOKENS)),
        (until,) if isinstance(until, str) else tuple(str(text) for text in until),
    )


def _temperature(do_sample: bool | None, temperature: float | None, task: str) -> float:
    value = None if temperature is None else float(temperature)
    if do_sample is False and value:
        raise _refused(
            f"do_sample: false and temperature: {value:g} contradict each other",
            task,
            "set do_sample: true to sample, or temperature: 0 to decode greedily",
        )
    if do_sample and value == 0:
        raise _refused(
            "do_sample: true and temperature: 0 contradict each other",
            task,
            "name a temperature above 0, or set do_sample: false to decode greedily",
        )
    if do_sample and value is None:
        return 1.0
    return value or 0.0


def _refused(what: str, task: str, remedy: str) -> UsageError:
    return UsageError(what, place=f"generation of harness task {task}", remedy=f"{remedy} (`generation` of the task)")
