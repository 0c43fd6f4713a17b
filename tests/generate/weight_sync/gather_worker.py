"""Gathers the weights of checkpoints on ranks: gather_worker.py ROOT OUT TENSOR PIPELINE [VIRTUAL].

ROOT holds `<name>/config.json` and `<name>.megatron`. The first rank writes OUT.<name>: the tensors, and
OUT.<name>.json: names and bytes of each bucket.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from prism.generate.weight_sync.gather import WeightGatherer
from prism.megatron import checkpoint
from prism.megatron.parallel import Layout, is_first_rank, process_groups
from prism.megatron.trainee import Trainee
from prism.models.family import identify
from prism.recipe import OptimizerConfig
from tests.models.tiny import VOCABULARY

BUCKET_BYTES = 60_000
NAMES = ("llama_3_1_8b", "granite_3_3_8b", "granite_4_h_micro", "nemotron_h_8b")


def main() -> None:
    root, out, tensor, pipeline = sys.argv[1:5]
    virtual = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    layout = Layout(tensor=int(tensor), pipeline=int(pipeline), virtual=virtual)
    with process_groups(layout, seed=1):
        for name in NAMES if virtual == 1 else NAMES[:2]:
            model = identify(Path(root) / name)
            trainee = Trainee(model, VOCABULARY, layout, OptimizerConfig())
            trainee.load_weights(checkpoint.require_latest(Path(root) / f"{name}.megatron"))
            gatherer = WeightGatherer(trainee.chunks, model, VOCABULARY, BUCKET_BYTES)
            tensors: dict[str, torch.Tensor] = {}
            buckets = []
            for bucket in gatherer.buckets():
                tensors |= {name: tensor.clone() for name, tensor in bucket.tensors}
                buckets.append([bucket.bytes, [name for name, _ in bucket.tensors]])
            if is_first_rank():
                assert [[item.name for item in bucket] for bucket in gatherer.plan] == [names for _, names in buckets]
                save_file(tensors, f"{out}.{name}")
                Path(f"{out}.{name}.json").write_text(json.dumps(buckets))
            else:
                assert not tensors


if __name__ == "__main__":
    main()
