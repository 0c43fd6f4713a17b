"""Several documents in one row, each as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from megatron.core.packed_seq_params import PackedSeqParams


def packed_documents(ends: Sequence[int], device: torch.device) -> PackedSeqParams:
    """What the model's layers take as `packed_seq_params` for one row of tokens.

    Attention and Mamba's states stop at the end of each document. RoPE runs on over the row, which is the same: it
    depends on distances only.

    Args:
        ends: where each document ends, rising to the length of the row.
    """
    boundaries = torch.tensor([0, *ends], dtype=torch.int32, device=device)
    return PackedSeqParams(
        qkv_format="sbhd",  # the row keeps its batch axis
        cu_seqlens_q=boundaries,
        cu_seqlens_kv=boundaries,
        max_seqlen_q=ends[-1],
        max_seqlen_kv=ends[-1],
    )
