"""Several documents in one row, each as if it were alone.

Under context parallelism the row is cut into 2 x ranks chunks wherever its documents end, and a rank's queries are
masked to their own documents: exact, for a row of documents of any lengths. Transformer Engine's fused attention over
packed rows (`thd`) cuts each document instead; `positions_by_document` is its order.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from megatron.core.packed_seq_params import PackedSeqParams
from torch import Tensor

from prism.megatron.context_parallel import own_positions


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


def positions_by_document(ends: Sequence[int], size: int, rank: int) -> Tensor:
    """Positions that a context-parallel rank holds where each document is cut, in Transformer Engine's order.

    Of every document in turn, the rank holds chunk `rank` and chunk 2 x size - 1 - rank of 2 x size.

    Args:
        ends: where each document ends; its length is a multiple of 2 x size.
        size: context-parallel ranks.

    Raises:
        ValueError: a document can't be cut evenly.
    """
    held = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        if (end - start) % (2 * size):
            raise ValueError(f"a document of {end - start} tokens can't be cut into {2 * size} chunks")
        held.append(start + own_positions(end - start, size, rank))
    return torch.cat(held)
