"""What operations allocate, and what work they are: a recorder that real and fake tensors pass through alike.

Memory is counted by storages, as an allocator sees it: one that several tensors share counts once, from the operation
that makes it until the last tensor lets go of it.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


@dataclass(frozen=True)
class Work:
    """One kernel, or one message. `kind`: matrix, attention, scan, memory, or the name of a process group.

    bytes_moved: what a kernel reads and writes; of a message, what one rank sends to the others of its ring.
    """

    kind: str
    flops: float
    bytes_moved: float


WorkList = Counter[Work]

_ALLOCATE = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "detach", "lift_fresh"}
_SENT = {
    "allreduce_": 2.0,
    "_allgather_base_": 1.0,
    "allgather_": 1.0,
    "_reduce_scatter_base_": 1.0,
    "reduce_scatter_": 1.0,
    "alltoall_base_": 1.0,
}
"""Messages whose cost counts: how often a rank sends its share of the whole, (ranks - 1) / ranks of it."""


@dataclass
class Recorder(TorchDispatchMode):
    """Bytes that live in storages made while it is entered, their peak, and the work since the last `take_work`.

    groups: names that messages go by, by the name of their process group.
    """

    groups: Mapping[str, str] = field(default_factory=dict)
    live_bytes: int = 0
    peak_bytes: int = 0
    work: WorkList = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._kept: dict[int, Any] = {}
        self._silent = False

    def __hash__(self) -> int:
        return id(self)

    def restart_peak(self) -> None:
        self.peak_bytes = self.live_bytes

    def take_work(self) -> WorkList:
        taken, self.work = self.work, Counter()
        return taken

    @contextmanager
    def one_kernel(self, kind: str, flops: float, tensors: list[Tensor]) -> Iterator[None]:
        """Operations within it count as one kernel that touches each of `tensors` once."""
        self.work[Work(kind, flops, sum(_bytes(tensor) for tensor in tensors))] += 1
        before, self._silent = self._silent, True
        try:
            yield
        finally:
            self._silent = before

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        read = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        there = {one.untyped_storage()._cdata for one in read}
        out = func(*args, **(kwargs or {}))
        made = [one for one in tree_leaves(out) if isinstance(one, Tensor)]
        if not self._silent:
            self._count(func, args, kwargs or {}, out, read, made)
        for tensor in made:
            self._keep(tensor, there)
        return out

    def _keep(self, tensor: Tensor, there: set[int]) -> None:
        """Args: there: storages that were there before, which views of weights share."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._kept or key in there:
            return
        size = storage.nbytes()

        def gone(_: object) -> None:
            self.live_bytes -= size
            self._kept.pop(key, None)

        self._kept[key] = weakref.ref(storage, gone)
        self.live_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)

    def _count(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,
        read: list[Tensor],
        made: list[Tensor],
    ) -> None:
        name = func._schema.name.rpartition("::")[2]
        if func.namespace == "c10d":
            self._count_message(name, args, read)
        elif func._overloadpacket in flop_registry:
            flops = flop_registry[func._overloadpacket](*args, **kwargs, out_val=out)
            kind = "attention" if "attention" in name else "matrix"
            self.work[Work(kind, float(flops), sum(_bytes(one) for one in [*read, *made]))] += 1
        elif func.namespace != "prim" and name not in _ALLOCATE and not _is_view(func, read, made):
            self.work[Work("memory", 0.0, sum(_bytes(one) for one in [*read, *made]))] += 1

    def _count_message(self, name: str, args: tuple[Any, ...], read: list[Tensor]) -> None:
        if name not in _SENT:
            return
        handles: list[Any] = [one for one in args if isinstance(one, torch.ScriptObject)]
        handle = next(one for one in handles if one._type().name() == "ProcessGroup")
        group = torch.distributed.ProcessGroup.unbox(handle)
        ranks = group.size()
        whole = max(_bytes(one) for one in read) * (ranks if name == "allgather_" else 1)
        sent = _SENT[name] * whole * (ranks - 1) / ranks
        if sent:
            self.work[Work(self.groups.get(group.group_name, "other"), 0.0, sent)] += 1


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _is_view(func: Any, read: list[Tensor], made: list[Tensor]) -> bool:
    if func._schema.is_mutable or not made:
        return False
    storages = {one.untyped_storage()._cdata for one in read}
    return all(one.untyped_storage()._cdata in storages for one in made)
