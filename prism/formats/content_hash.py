"""One hash for what a checkpoint's weights are, whatever files they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import CancelledError
from threading import Event
from typing import Any

import torch
import xxhash

from data_prep.files import fingerprint
from prism.formats.weights import Weights, unit_rows


def content_hash(weights: Weights, names: Sequence[str], stopped: Event | None = None) -> str:
    """SHA-256 of the canonical JSON of [name, type, shape, XXH3 of the bytes] of every tensor, sorted by name.

    XXH3 (128 bits) is what checkpoints keep of their files too: at the speed of memory, and no guard against forgery.
    Read in the order of `names`.

    Raises:
        CancelledError: `stopped` was set meanwhile.
    """
    found = []
    for name in names:
        shape, dtype = weights.shape(name), weights.dtype(name)
        step = unit_rows(shape, dtype)
        buffer = torch.empty(min(step, shape[0]), *shape[1:], dtype=dtype)
        digest = xxhash.xxh3_128()
        for first in range(0, shape[0], step):
            if stopped is not None and stopped.is_set():
                raise CancelledError
            rows = buffer[: min(step, shape[0] - first)]
            weights.read_into(name, first, rows)
            array: Any = rows.view(-1).view(torch.uint8).numpy()
            digest.update(array)
        found.append([name, str(dtype).removeprefix("torch."), list(shape), digest.hexdigest()])
    return fingerprint(sorted(found))
