"""HumanEval (Chen et al. 2021): functions from their signature and docstring."""

from __future__ import annotations

from typing import Any

from prism.evaluate.rows.columns import Record, text_of
from prism.evaluate.rows.settings import HumanEvalRows

_ASKED = "Complete this Python function. Answer with the whole function in one code block that begins with ```python."


def humaneval_row(record: Record, settings: HumanEvalRows) -> dict[str, Any]:
    """An instruction and the function's beginning. The answer is the whole function, or the rest of it."""
    begun = str(record.get("prompt") or "") or text_of(record, "prompt")
    return {
        "id": text_of(record, "task_id"),
        "prompt": f"{_ASKED}\n\n```python\n{begun.strip()}\n```",
        "answer": "",
        "verifier": {
            "kind": "code",
            "test": "check",
            "source": text_of(record, "test"),
            "entry_point": text_of(record, "entry_point"),
            "setup": begun,
            "completes": True,
            "seconds": settings.seconds,
            "memory_bytes": settings.memory_bytes,
        },
    }
