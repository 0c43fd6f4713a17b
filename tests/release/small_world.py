"""The miniature's data stage in seconds: what to add to `prism run miniature --only data`."""

from __future__ import annotations

_TOKENS = {
    "general": 4_000,
    "song": 3_000,
    "arithmetic": 1_500,
    "raw_questions": 1_500,
    "math": 6_000,
    "code": 4_000,
    "science": 4_000,
}

SMALL_WORLD = [
    *(f"--set=data.world.tokens.{name}={tokens}" for name, tokens in _TOKENS.items()),
    *(f"--set=data.world.rl_prompts.{name}=20" for name in ("math", "code", "science")),
    "--set=data.world.evaluation_prompts=6",
    "--set=data.world.facts=12",
]
