"""The optimizer's state in host memory while something else needs the device's.

The storages of the tensors are emptied in place, so every view of them (parameter shards, buckets, `main_grad`) is the
same tensor when they are filled again. megatron-core's own `offload_to_cpu` puts new tensors in their places, which
parts an fp32 model's parameters from the buffers that they are views of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, UntypedStorage

from prism.megatron.backend import backend


class OptimizerParking:
    """Room on the host for the optimizer's state of a trainee, kept from one use to the next.

    Args:
        chunks: this rank's model chunks in their data-parallel wrappers.
    """

    def __init__(self, chunks: Sequence[Any], optimizer: Any) -> None:
        self._chunks, self._optimizer = chunks, optimizer
        self._host: list[Tensor] = []

    @contextmanager
    def parked(self) -> Iterator[None]:
        """Within it the optimizer's state and the gradients take no device memory; nobody may touch them.

        The state comes back as it was, gradients come back as zeros.
        """
        self._wait_for_readers()
        state, gradients = self._state(), self._gradients()
        sizes = [storage.nbytes() for storage in state]
        dropped = [storage.nbytes() for storage in gradients]
        self._make_room(sizes)
        for storage, host in zip(state, self._host, strict=True):
            host.copy_(_bytes(storage))
            storage.resize_(0)
        for storage in gradients:
            storage.resize_(0)
        _give_back()
        try:
            yield
        finally:
            for storage, host, size in zip(state, self._host, sizes, strict=True):
                storage.resize_(size)
                _bytes(storage).copy_(host)
            for storage, size in zip(gradients, dropped, strict=True):
                storage.resize_(size)
                _bytes(storage).zero_()

    def _wait_for_readers(self) -> None:
        """A checkpoint may still be copying the state; it makes optimizers wait before they step, and so this waits."""
        for optimizer in self._optimizer.chained_optimizers:
            for inner in _parts(optimizer.optimizer):
                for hook in inner._optimizer_step_pre_hooks.values():
                    hook(inner, (), {})

    def _make_room(self, sizes: Sequence[int]) -> None:
        if [host.nbytes for host in self._host] != list(sizes):
            pinned = backend().name == "cuda"
            self._host = [torch.empty(size, dtype=torch.uint8, pin_memory=pinned) for size in sizes]

    def _state(self) -> list[UntypedStorage]:
        """Moments and wide weights that live on the device; not the model's own weights, which an fp32 one steps."""
        kept = {parameter.untyped_storage().data_ptr() for chunk in self._chunks for parameter in chunk.parameters()}
        found: dict[int, UntypedStorage] = {}
        for optimizer in self._optimizer.chained_optimizers:
            for tensor in _tensors(optimizer.optimizer):
                storage = tensor.untyped_storage()
                if tensor.device == backend().device and tensor.ndim and storage.data_ptr() not in kept:
                    found[storage.data_ptr()] = storage
        return list(found.values())

    def _gradients(self) -> list[UntypedStorage]:
        buffers = [buffer for chunk in self._chunks for buffer in (*chunk.buffers, *chunk.expert_parallel_buffers)]
        return [buffer.grad_data.untyped_storage() for buffer in buffers]


def _tensors(optimizer: Any) -> Iterator[Tensor]:
    """What an optimizer steps, and what it remembers."""
    for inner in _parts(optimizer):
        for group in inner.param_groups:
            for parameter in group["params"]:
                yield parameter
                yield from (value for value in inner.state.get(parameter, {}).values() if isinstance(value, Tensor))


def _parts(optimizer: Any) -> list[Any]:
    """An offloading optimizer is made of several; one without parameters is None."""
    parts = [optimizer, *getattr(optimizer, "sub_optimizers", [])]
    return [part for part in parts if isinstance(part, torch.optim.Optimizer)]


def _bytes(storage: UntypedStorage) -> Tensor:
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)


def _give_back() -> None:
    """Lets other processes have what was freed."""
    if backend().name == "cuda":
        torch.cuda.empty_cache()
