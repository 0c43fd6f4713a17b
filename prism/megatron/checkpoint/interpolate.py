"""Weighted sums of checkpoints, put into a model in place (the pass-rate landscape of paper section 10)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from prism.errors import BadInput
from prism.formats.blocks import Blocks
from prism.megatron.checkpoint.content import Part, to_read, weights_tree
from prism.megatron.checkpoint.description import refuse_other_model
from prism.megatron.checkpoint.folder import Checkpoint, verify
from prism.megatron.checkpoint.load import Parts, all_or_none, as_chunks, read_part, refuse_other_parts


class Interpolation:
    """Sums of checkpoints of one architecture. All ranks hold one and call it together; each reads its own parts.

    Nothing of the checkpoints stays in memory: a sum reads them again, tensor by tensor. All weights are summed alike,
    routers of experts and Mamba's A_log, D and dt_bias too.

    Args:
        parts: the model that takes the sums, under any layout.

    Raises:
        BadInput: a checkpoint is damaged, holds another model, or weights that aren't finite.
    """

    def __init__(self, checkpoints: Sequence[Checkpoint], parts: Parts) -> None:
        chunks = as_chunks(parts)
        verified = [verify(one) for one in checkpoints]
        self._parts = to_read(weights_tree(chunks))
        self._stored: list[Blocks] = []

        def look() -> None:
            for one in verified:
                refuse_other_model(one.said, chunks, one.path)
                stored = Blocks(one.path)
                refuse_other_parts(stored, self._parts)
                self._refuse_invalid(stored)
                self._stored.append(stored)

        all_or_none(look)

    def put(self, coefficients: Sequence[float]) -> None:
        """The model becomes the sum of coefficient x weights: added up in fp32 in the order of the checkpoints, then
        rounded once to the model's own type.

        What has coefficient 0 isn't read, so that 1 for one and 0 for the others is that checkpoint bit for bit.
        """
        all_or_none(lambda: self._put(coefficients))

    @torch.no_grad()
    def _put(self, coefficients: Sequence[float]) -> None:
        terms = [(share, stored) for share, stored in zip(coefficients, self._stored, strict=True) if share]
        for part in self._parts:
            total: Tensor | None = None
            for share, stored in terms:
                read = _wide(stored, part)
                total = read.mul_(share) if total is None else total.add_(read, alpha=share)
            part.tensor.copy_(total if total is not None else torch.zeros_like(part.tensor))

    def _refuse_invalid(self, stored: Blocks) -> None:
        for part in self._parts:
            if not _wide(stored, part).isfinite().all():
                raise BadInput(
                    f"{part.block.key} holds values that aren't finite",
                    place=str(stored.path),
                    remedy="take an earlier checkpoint; the gradients' norm in metrics.jsonl says when it happened",
                )


def _wide(stored: Blocks, part: Part) -> Tensor:
    """The part in fp32, where the model is."""
    target = torch.empty_like(part.tensor, dtype=torch.float32)
    read_part(stored, part, target)
    return target
