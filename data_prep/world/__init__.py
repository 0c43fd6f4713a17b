"""The miniature's world: seeded general text and verifiable tasks, written as raw source files.

The files go through the same reading, formatting, tokenising and blending as any other source.

| file | what |
|---|---|
| general, song, arithmetic, raw_questions .jsonl | `text` |
| math, code, science .jsonl | `question`, `reasoning`, `answer`; a share of the trace steps is wrong |
| heldout_DOMAIN.jsonl, prompts_DOMAIN.jsonl | `id`, `prompt`, `answer` (the truth), `verifier`: evaluation, RL |
| heldout_general.jsonl | `text`: further documents like those of general.jsonl, for the retention gate |
| facts.jsonl | multiple choice on the general text: `id`, `context`, `choices`, `answer` |
| world.json | the settings, written last |
"""

from data_prep.world.generate import generate

__all__ = ["generate"]
