"""Representations on the ranks of models that are spread: models_worker.py FOLDER OUT TENSOR PIPELINE NAME..."""

from __future__ import annotations

import sys
from pathlib import Path

from prism.analyze.hidden import input_texts
from prism.analyze.models import compare_models
from prism.evaluate.named import named_model
from prism.megatron.parallel import Layout


def main() -> None:
    folder, out, tensor, pipeline, *names = sys.argv[1:]
    layout = Layout(tensor=int(tensor), pipeline=int(pipeline))
    texts = {"a": input_texts(Path(folder) / "a.jsonl", 24)}
    done = compare_models(
        [named_model(f"{folder}/{name}", layout=layout) for name in names], names, texts, Path(out), 5, 1
    )
    assert not done.failed and len(done.comparisons) == 1, done.failed


if __name__ == "__main__":
    main()
