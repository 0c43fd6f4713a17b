"""How the trainer's ranks share servers: one rank of a replica asks, and tells the replica's others."""

from __future__ import annotations

from typing import TypeVar

import torch.distributed as dist

from prism.megatron.checkpoint.ranks import alone, from_all_ranks
from prism.megatron.parallel import data_parallel_rank

Value = TypeVar("Value")


class Replica:
    """The ranks that hold one replica of the model, all of which want the same responses. Collective to make."""

    def __init__(self) -> None:
        self.asks = True
        """Whether this rank is the one that asks."""
        self._members = [0]
        self._group: dist.ProcessGroup | None = None
        if alone():
            return
        replica_of = from_all_ranks(data_parallel_rank())
        for replica in sorted(set(replica_of)):
            members = [rank for rank, its in enumerate(replica_of) if its == replica]
            group = dist.new_group(members, backend="gloo")  # every rank makes every group
            if dist.get_rank() in members:
                self._members, self._group = members, group
        self.asks = dist.get_rank() == self._members[0]

    def share(self, value: Value) -> Value:
        """The asking rank's plain value, on every rank of the replica. Collective within it."""
        if len(self._members) == 1:
            return value
        holder = [value]
        dist.broadcast_object_list(holder, src=self._members[0], group=self._group)
        return holder[0]
