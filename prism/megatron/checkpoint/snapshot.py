"""A rank's part of a checkpoint as it was at the end of a step, copied while the next step computes.

Weights and moments change only in the optimizer's step. So a save needs no pause: a thread copies them while the next
forward and backward pass runs, and the optimizer waits for it, which by then has long been done.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prism.formats.torch_dist_image import Image
from prism.megatron.backend import backend
from prism.megatron.checkpoint.content import Part


class Snapshot:
    """A file's bytes in memory, filled again at every save. On a GPU the memory is pinned."""

    def __init__(self, image: Image, blocks_of: Sequence[Part]) -> None:
        self._starts = [slot.values for slot in image.slots]
        self._layout = [part.block for part in blocks_of]
        self._done = threading.Event()
        self._done.set()
        self._copied: Any = None
        self._stream: Any = None
        if backend().name == "cuda":
            self._tensor = torch.empty(image.bytes, dtype=torch.uint8, pin_memory=True).zero_()
            self._array: Any = self._tensor.numpy()
            self._stream = torch.cuda.Stream()
        else:
            self._array = np.zeros(image.bytes, np.uint8)
        self.bytes = memoryview(self._array)
        image.prepare(self.bytes)

    def begin(self, parts: Sequence[Part], steppers: Iterable[torch.optim.Optimizer]) -> None:
        """Notes what is to be copied, and makes every optimizer of `steppers` wait for `copy` before it steps."""
        assert [part.block for part in parts] == self._layout, "the model changed between two saves"
        self._done.clear()
        self._sources = [part.tensor for part in parts]
        self._handles = [stepper.register_step_pre_hook(lambda *_: self.wait()) for stepper in steppers]
        if self._stream is not None:
            self._copy_from_gpu()

    def copy(self) -> None:
        """Copies what `begin` noted; from any thread. Training goes on in the meantime."""
        try:
            for source, start in zip(self._sources, self._starts, strict=True):
                if source.device.type == "cpu":
                    ctypes.memmove(self._array.ctypes.data + start, source.data_ptr(), source.nbytes)
            if self._copied is not None:
                self._copied.synchronize()
        finally:
            self._sources = []
            self._done.set()

    def wait(self) -> None:
        """Returns when the copy is made; on a GPU the stream waits rather than the host."""
        if self._copied is not None and all(source.is_cuda for source in self._sources):
            torch.cuda.current_stream().wait_event(self._copied)
        else:
            self._done.wait()

    def end(self) -> None:
        """Optimizers no longer wait. Called by the thread that trains."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _copy_from_gpu(self) -> None:
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            for source, start in zip(self._sources, self._starts, strict=True):
                if source.is_cuda:
                    self._tensor[start : start + source.nbytes].copy_(_flat_bytes(source), non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record(self._stream)


def _flat_bytes(tensor: Tensor) -> Tensor:
    return tensor.reshape(-1).view(torch.uint8)
