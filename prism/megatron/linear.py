"""Which parallel linear layers a model is built of: megatron-core's in torch, or Transformer Engine's for fp8.

Transformer Engine scales each tensor by its own largest value (`tensorwise`), so a layer keeps no history of scales and
a resumed run goes on exactly; what it would store beside the weights is left out, and either kind of layer loads what
the other saved.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from megatron.core.tensor_parallel.layers import ColumnParallelLinear, RowParallelLinear
from megatron.core.tensor_parallel.mappings import reduce_from_tensor_model_parallel_region
from megatron.core.transformer.transformer_config import TransformerConfig
from torch import Tensor

from prism.kernels.select import require_fp8
from prism.megatron.backend import backend

_FP8_MULTIPLE = 16
"""Fp8 matrices need sides that this divides."""


class PrismColumnParallelLinear(ColumnParallelLinear):
    """megatron-core's; without gradients, also without what they need: cached decoding calls it at every token."""

    def forward(
        self, input_: Tensor, weight: Tensor | None = None, runtime_gather_output: bool | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """(seq, batch, input) -> ((seq, batch, output on this rank), bias)."""
        if torch.is_grad_enabled() or self.sequence_parallel or self.bias is not None or self.gather_output:
            output: tuple[Tensor, Tensor | None] = super().forward(input_, weight, runtime_gather_output)
            return output
        return F.linear(input_, self.weight if weight is None else weight), None


class PrismRowParallelLinear(RowParallelLinear):
    """See `PrismColumnParallelLinear`."""

    def forward(self, input_: Tensor) -> tuple[Tensor, Tensor | None]:
        """(seq, batch, input on this rank) -> ((seq, batch, output), bias)."""
        if torch.is_grad_enabled() or self.sequence_parallel or self.bias is not None or not self.input_is_parallel:
            output: tuple[Tensor, Tensor | None] = super().forward(input_)
            return output
        return reduce_from_tensor_model_parallel_region(F.linear(input_, self.weight), group=self.tp_group), None


def rows_times(layer: Any, x: Tensor) -> Tensor:
    """A column-parallel layer on a matrix, without gradients: (rows, input) -> (rows, output on this rank)."""
    if type(layer) is PrismColumnParallelLinear and layer.bias is None and not layer.gather_output:
        return F.linear(x, layer.weight)
    output: Tensor = layer(x[None])[0][0]
    return output


def column_parallel(config: TransformerConfig, *widths: int) -> Any:
    """The class of a layer whose output is cut over tensor-parallel ranks. `widths`: see `row_parallel`."""
    return _fp8_layers()[0] if _in_fp8(config, widths) else PrismColumnParallelLinear


def row_parallel(config: TransformerConfig, *widths: int) -> Any:
    """The class of a layer whose input is cut.

    Args:
        widths: sides of the matrix on one rank; with a side that fp8 can't take, the layer stays in bf16.

    Raises:
        RecipeError: the precision is fp8 and Transformer Engine can't be used here.
    """
    return _fp8_layers()[1] if _in_fp8(config, widths) else PrismRowParallelLinear


def _in_fp8(config: TransformerConfig, widths: tuple[int, ...]) -> bool:
    return config.fp8 is not None and all(width % _FP8_MULTIPLE == 0 for width in widths)


@cache
def _fp8_layers() -> tuple[Any, Any]:
    require_fp8(backend().device)
    from megatron.core.extensions import transformer_engine as te

    without_state = {
        "get_extra_state": torch.nn.Module.get_extra_state,
        "set_extra_state": torch.nn.Module.set_extra_state,
    }
    return tuple(type(f"Stateless{kind}", (getattr(te, kind),), without_state) for kind in _KINDS)  # type: ignore[return-value]


_KINDS = ("TEColumnParallelLinear", "TERowParallelLinear")
