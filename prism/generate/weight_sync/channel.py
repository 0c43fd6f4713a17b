"""Channels over which the trainer's first rank broadcasts tensors to generators.

| channel | over | for |
|---|---|---|
| `GlooChannel` | torch.distributed's gloo, a world beside the trainer's own | generators on CPUs; tests |
| `NcclChannel` | NCCL itself, by its C interface | generators on GPUs of their own |

NCCL is called directly, since trainer and generator may run different releases of torch, whose rendezvous isn't meant
to be mixed. Its identifier travels in the invitation, so nothing but an address of the generator is needed.
"""

from __future__ import annotations

import base64
import ctypes
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from prism.errors import ResourcesExhausted


class Channel(Protocol):
    """One sender, rank 0, and some receivers."""

    def invitation(self) -> dict[str, Any]:
        """What a receiver is told to join, in JSON; each also needs its rank."""
        ...

    def join(self) -> None:
        """Returns when all have joined; the receivers join at the same time."""
        ...

    def broadcast(self, tensor: Tensor) -> None:
        """Sends (or fills, on a receiver) a contiguous tensor; returns when it may be changed."""
        ...

    def close(self) -> None: ...


class GlooChannel:
    """A world of gloo's own.

    Args:
        rank: 0 sends; it listens at (host, port), where port 0 takes a free one.
        patience_s: seconds that a rank waits for the others.
    """

    def __init__(
        self, world_size: int, rank: int = 0, host: str = "127.0.0.1", port: int = 0, patience_s: float = 120.0
    ) -> None:
        self._rank, self._world, self._host, self._port = rank, world_size, host, port
        self._patience = timedelta(seconds=patience_s)
        self._group: Any = None
        self._store: Any = None
        if rank == 0:
            self._store = self._connect()
            self._port = self._store.port

    def invitation(self) -> dict[str, Any]:
        return {"master_address": self._host, "master_port": self._port, "world_size": self._world}

    def join(self) -> None:
        if self._store is None:
            self._store = self._connect()
        try:
            self._group = dist.ProcessGroupGloo(self._store, self._rank, self._world, self._patience)
        except RuntimeError as error:
            raise _lost(error) from None

    def broadcast(self, tensor: Tensor) -> None:
        try:
            self._group.broadcast(tensor, 0).wait()
        except RuntimeError as error:
            raise _lost(error) from None

    def close(self) -> None:
        self._group = self._store = None

    def _connect(self) -> Any:
        return dist.TCPStore(  # type: ignore[attr-defined]
            self._host,
            self._port,
            self._world,
            is_master=self._rank == 0,
            wait_for_workers=False,
            timeout=self._patience,
        )


def receive_tensors(
    channel: Channel,
    names: Sequence[str],
    dtypes: Sequence[str],
    shapes: Sequence[Sequence[int]],
    device: torch.device | None = None,
) -> Iterator[tuple[str, Tensor]]:
    """A receiver's side of a bucket: the tensors that were announced, one by one."""
    for name, dtype, shape in zip(names, dtypes, shapes, strict=True):
        tensor = torch.empty(tuple(shape), dtype=getattr(torch, dtype), device=device)
        channel.broadcast(tensor)
        yield name, tensor


_ID_BYTES = 128
_SUM = 0
_TYPES = {
    torch.float16: 6,
    torch.float32: 7,
    torch.float64: 8,
    torch.bfloat16: 9,
}
"""ncclDataType_t."""


class _UniqueId(ctypes.Structure):
    _fields_ = [("internal", ctypes.c_byte * _ID_BYTES)]


class NcclChannel:
    """The sending end. `world_size` counts it and every GPU of every receiver.

    Follows vLLM 0.33's `init_weight_transfer_engine` with `nccl_unique_id_b64`: after joining, each rank sums one
    float32 over all, which makes NCCL connect.

    Args:
        device: the trainer's, which no receiver uses.
        patience_s: seconds that a tensor may take; then the channel is torn down.
        library: NCCL's name for the loader; torch has loaded its own already.

    Raises:
        ResourcesExhausted: there is no NCCL, or it reports an error.
    """

    def __init__(self, world_size: int, device: torch.device, patience_s: float, library: str = "libnccl.so.2") -> None:
        self._world, self._device, self._patience_s = world_size, device, patience_s
        try:
            self._nccl = ctypes.CDLL(library)
        except OSError as error:
            raise ResourcesExhausted(
                f"NCCL can't be loaded ({error})",
                place="rl.generator.vllm.transport",
                remedy="set it to folder, or install torch with CUDA",
            ) from None
        self._id = _UniqueId()
        self._comm = ctypes.c_void_p()
        self._call("ncclGetUniqueId", ctypes.byref(self._id))

    def invitation(self) -> dict[str, Any]:
        identifier = base64.b64encode(bytes(self._id)).decode()
        return {"nccl_unique_id_b64": identifier, "world_size": self._world, "packed": False}

    def join(self) -> None:
        self._call("ncclCommInitRank", ctypes.byref(self._comm), ctypes.c_int(self._world), self._id, ctypes.c_int(0))
        one = torch.zeros(1, device=self._device)
        place, count = ctypes.c_void_p(one.data_ptr()), ctypes.c_size_t(1)
        self._call("ncclAllReduce", place, place, count, _TYPES[torch.float32], _SUM, self._comm, self._stream())
        self._wait()

    def broadcast(self, tensor: Tensor) -> None:
        place, count = ctypes.c_void_p(tensor.data_ptr()), ctypes.c_size_t(tensor.numel())
        self._call("ncclBroadcast", place, place, count, _TYPES[tensor.dtype], 0, self._comm, self._stream())
        self._wait()

    def close(self) -> None:
        if self._comm:
            self._call("ncclCommAbort", self._comm)  # also when a peer has died, which destroying would wait for
            self._comm = ctypes.c_void_p()

    def _stream(self) -> ctypes.c_void_p:
        on_gpu = self._device.type == "cuda"
        return ctypes.c_void_p(torch.cuda.current_stream(self._device).cuda_stream if on_gpu else None)

    def _wait(self) -> None:
        """Until the stream is done. Looks again and again: a receiver that died would hold a plain wait for ever."""
        if self._device.type != "cuda":
            return
        done = torch.cuda.Event()
        done.record(torch.cuda.current_stream(self._device))
        deadline = time.monotonic() + self._patience_s
        while not done.query():
            if time.monotonic() > deadline:
                comm, self._comm = self._comm, ctypes.c_void_p()
                self._call("ncclCommAbort", comm)
                raise ResourcesExhausted(
                    f"a tensor hasn't arrived after {self._patience_s:g} s",
                    place="rl.generator.vllm.transport",
                    remedy="see the generator's log",
                )
            time.sleep(0.0002)

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._nccl, name)(*arguments)
        if code:
            raise ResourcesExhausted(
                f"{name} failed with code {code}",
                place="rl.generator.vllm.transport",
                remedy="set NCCL_DEBUG=INFO to see why; trainer and generator need the same release of NCCL",
            )


def _lost(error: RuntimeError) -> ResourcesExhausted:
    text = (str(error).splitlines() or [""])[0]
    return ResourcesExhausted(
        f"the channel to the generator broke ({text})", place="weight synchronisation", remedy="see the generator's log"
    )
