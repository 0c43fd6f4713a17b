"""A Mamba-2 mixer under context parallelism: a rank scans some of the heads over the whole sequence.

Before the convolution the ranks trade positions for heads, after the scan they trade back. Weights that belong to
heads are whole on every rank, which uses its heads' rows of them; data parallelism adds the ranks' gradients up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from megatron.core import parallel_state
from torch import Tensor

from prism.errors import RecipeError
from prism.megatron.context_parallel import heads_for_positions, positions_for_heads, ranks
from prism.megatron.mamba_shape import MixerShape


@dataclass(frozen=True)
class HeadShare:
    """The heads and groups that this context-parallel rank scans; `shape` is theirs, `whole` the mixer's."""

    whole: MixerShape
    shape: MixerShape
    size: int
    rank: int

    @property
    def heads(self) -> slice:
        return slice(self.rank * self.shape.heads, (self.rank + 1) * self.shape.heads)

    @property
    def channels(self) -> Tensor:
        """Rows of the convolution (x, B, C) that this rank uses."""
        whole, own = self.whole, self.shape
        first_group = self.rank * own.heads // (whole.heads // whole.groups)
        x = torch.arange(own.inner) + self.rank * own.inner
        b = torch.arange(own.groups * own.state) + whole.inner + first_group * own.state
        return torch.cat([x, b, b + whole.groups * whole.state])

    def inward(self, xbc: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Own positions, all heads -> all positions, own heads: (seq, batch, channels), (seq, batch, heads)."""
        if self.size == 1:
            return xbc, dt
        whole = self.whole
        lead = xbc.shape[:2]
        x, b, c = xbc.split([whole.inner, whole.group_rows // 2, whole.group_rows // 2], -1)
        x = heads_for_positions(x.reshape(*lead, whole.heads, whole.head_dim)).flatten(2)
        b, c = (self._groups(part.reshape(*lead, whole.groups, whole.state)) for part in (b, c))
        return torch.cat([x, b, c], -1), heads_for_positions(dt[..., None]).squeeze(-1)

    def _groups(self, part: Tensor) -> Tensor:
        """Each rank's groups of all positions; a group that several ranks share goes to each of them."""
        copies = max(1, self.size // self.whole.groups)
        return heads_for_positions(part.repeat_interleave(copies, 2)).flatten(2)

    def outward(self, y: Tensor) -> Tensor:
        """(seq, batch, own inner) -> (own positions, batch, inner)."""
        if self.size == 1:
            return y
        return positions_for_heads(y.reshape(*y.shape[:2], self.shape.heads, self.shape.head_dim)).flatten(2)


def head_share(shape: MixerShape) -> HeadShare:
    """This rank's share.

    Raises:
        RecipeError: the heads can't be spread over the context-parallel ranks.
    """
    size, rank = ranks(), int(parallel_state.get_context_parallel_rank())
    groups = shape.groups
    if shape.heads % size or (groups % size and size % groups):
        raise RecipeError(
            f"{shape.heads} Mamba heads in {groups} groups on a tensor-parallel rank can't be spread over {size} "
            "context-parallel ranks",
            place="cluster.context_parallel",
            remedy="use a size that divides the heads, and divides or is divided by the groups",
        )
    own = replace(shape, inner=shape.inner // size, heads=shape.heads // size, groups=max(1, groups // size))
    return HeadShare(shape, own, size, rank)
