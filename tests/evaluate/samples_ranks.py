"""samples_ranks.py FOLDER: a rank of two that share a samples file; the second sees only its own disk."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch.distributed as dist

from prism.evaluate.samples import SamplesFile

BATCHES = [
    [{"id": str(n), "prompt": "?", "responses": [{"text": "x", "correct": True}], "greedy": None}] for n in range(4)
]


def main() -> None:
    folder = Path(sys.argv[1])
    dist.init_process_group("gloo")
    own = folder / str(dist.get_rank()) / "samples.jsonl"
    for stop in (3, 4):
        samples = SamplesFile(own, "key", total=4, at_once=1)
        (folder / f"begun_{stop}_{dist.get_rank()}").write_text(str(len(samples.lines)))
        for batch in BATCHES[len(samples.lines) : stop]:
            samples.append(batch)
    (folder / f"lines_{dist.get_rank()}").write_text(json.dumps(samples.lines))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
