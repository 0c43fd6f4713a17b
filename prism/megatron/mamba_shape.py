"""Sizes of a Mamba-2 mixer on one tensor-parallel rank."""

from __future__ import annotations

from dataclasses import dataclass

from megatron.core.transformer.transformer_config import TransformerConfig

from prism.errors import RecipeError


@dataclass(frozen=True)
class MixerShape:
    """Sizes on one tensor-parallel rank. `shares_group`: the ranks share the only group's B and C."""

    inner: int
    heads: int
    head_dim: int
    groups: int
    state: int
    shares_group: bool

    @property
    def group_rows(self) -> int:
        """Rows of B and of C together."""
        return 2 * self.groups * self.state


def mixer_shape(config: TransformerConfig, ranks: int) -> MixerShape:
    """Cuts the mixer of `config` for `ranks` tensor-parallel ranks.

    Raises:
        RecipeError: heads or groups can't be spread over the ranks.
    """
    heads, groups = config.mamba_num_heads, config.mamba_num_groups
    shares_group = groups == 1 and ranks > 1
    if heads % ranks or heads % groups or (groups % ranks and not shares_group):
        raise RecipeError(
            f"{heads} Mamba heads in {groups} groups can't be spread over {ranks} tensor-parallel ranks",
            place="cluster.tensor_parallel",
            remedy=f"use a size that divides {heads} heads and, unless there is one group, {groups} groups",
        )
    return MixerShape(
        inner=heads * config.mamba_head_dim // ranks,
        heads=heads // ranks,
        head_dim=config.mamba_head_dim,
        groups=1 if shares_group else groups // ranks,
        state=config.mamba_state_dim,
        shares_group=shares_group,
    )
