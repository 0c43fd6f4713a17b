"""The fp32 weights that an optimizer steps, in a checkpoint whose own weights are narrower."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from prism.errors import BadInput
from prism.formats.torch_dist_rows import TorchDistRows

PREFIX = "optimizer.state.fp32_param."
"""What their keys begin with (see `prism.megatron.optimizer_state`)."""


class MasterWeights:
    """A checkpoint's weights by name: the fp32 master where there is one, else the weight, which then is fp32 itself.

    Raises:
        BadInput: there is no optimizer state, or a file is damaged.
    """

    def __init__(self, checkpoint: TorchDistRows) -> None:
        self._own = checkpoint
        self._masters = TorchDistRows(checkpoint.path, PREFIX)
        narrow = [name for name in self.names() if self.dtype(name) != torch.float32]
        if narrow:
            raise BadInput(
                f"holds no fp32 master of {narrow[0]}",
                place=str(checkpoint.path),
                remedy="compare its own weights (without --masters), or a checkpoint that keeps the optimizer's state",
            )
        self._masters.check_files()

    @property
    def path(self) -> Path:
        return self._own.path

    def names(self) -> list[str]:
        return self._own.names()

    def __contains__(self, name: str) -> bool:
        return name in self._own

    def shape(self, name: str) -> tuple[int, ...]:
        return self._own.shape(name)

    def dtype(self, name: str) -> torch.dtype:
        return self._of(name).dtype(name)

    def read_into(self, name: str, first: int, tensor: Tensor) -> None:
        """Fills a contiguous tensor of the stored type with the rows from `first` on."""
        self._of(name).read_into(name, first, tensor)

    def _of(self, name: str) -> TorchDistRows:
        return self._masters if name in self._masters else self._own
