"""megatron-core's blended dataset over a locked blend, as a peer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from data_prep.blend.lock import Lock


class _Tokenizer:
    """The little that megatron-core's dataset asks of a tokenizer."""

    eod = 0
    pad = -1
    vocab_size = 32_000
    unique_identifiers = {"name": "benchmark"}  # noqa: RUF012


def open_megatron(lock: Lock, folder: Path, samples: int, length: int) -> Any:
    """Builds (or maps) megatron-core's indices in `folder` and returns its train split."""
    import torch.distributed as dist
    from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig

    if not dist.is_initialized():
        os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
        os.environ.setdefault("MASTER_PORT", "29771")
        dist.init_process_group("gloo", rank=0, world_size=1)
    prefixes = [str(source.prefix) for source in lock.sources]
    weights = [source.weight_percent for source in lock.sources]
    config = GPTDatasetConfig(
        random_seed=lock.seed,
        sequence_length=length,
        blend_per_split=[(prefixes, weights), None, None],
        path_to_cache=str(folder / "megatron_cache"),
        tokenizer=_Tokenizer(),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
    )
    return BlendedMegatronDatasetBuilder(GPTDataset, [samples, 0, 0], lambda: True, config).build()[0]
