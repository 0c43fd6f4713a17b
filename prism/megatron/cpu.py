"""Stands in for the CUDA calls that megatron-core 0.16.1 makes, so that the same engine runs on a CPU.

What is replaced, and where megatron-core needs it:

| call | needed by |
|---|---|
| `device="cuda"`, device indices and pinned memory in tensor factories | grad norm, loss scale, optimizer, schedules |
| `torch.cuda.current_device` | parameter allocation in every layer |
| `torch.cuda` RNG state | tensor-parallel RNG tracker, recomputation |
| `Tensor.cuda`, `Module.cuda` | optimizer state, pipeline schedules |
| streams, events, synchronize, NVTX | distributed data parallel, timers, profiling ranges |
| `Tensor.type()` naming a CUDA type | gradient clipping and parameter grouping compare type names |
| `torch.compile`, while it is imported | fused functions for GPUs; the compiler alone takes 3 seconds to import |

The replacements hold for the whole process. They are installed only where no CUDA device is used.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch

_CPU = torch.device("cpu")
_FACTORIES = (
    "arange as_tensor empty empty_like empty_strided full full_like linspace ones ones_like rand randint randn tensor "
    "zeros zeros_like"
).split()


def stand_in_for_cuda() -> None:
    """Installs every replacement and imports megatron.core. Called once, before anything else imports it."""
    for name in _FACTORIES:
        setattr(torch, name, _on_cpu(getattr(torch, name)))
    _replace_type_names()
    _replace_placement()
    _replace_streams()
    with _without_compiler():
        import megatron.core.tensor_parallel  # noqa: F401
    _replace_rng()


@contextlib.contextmanager
def _without_compiler() -> Iterator[None]:
    """megatron-core takes its decorator of fused functions (megatron.core.jit) from torch when it is first imported."""
    compiler = torch.compile
    torch.compile = lambda function=None, **_: function or (lambda inner: inner)  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compile = compiler


def _on_cpu(factory: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    @functools.wraps(factory)
    def make(*args: Any, **kwargs: Any) -> torch.Tensor:
        if "device" in kwargs and _names_cuda(kwargs["device"]):
            kwargs["device"] = _CPU
        kwargs.pop("pin_memory", None)
        return factory(*args, **kwargs)

    return make


def _names_cuda(device: object) -> bool:
    if isinstance(device, torch.device):
        return device.type == "cuda"
    return isinstance(device, int) or (isinstance(device, str) and device.startswith("cuda"))


def _replace_type_names() -> None:
    original = torch.Tensor.type

    def type_name(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            return original(self, *args, **kwargs)
        return original(self).replace("torch.", "torch.cuda.", 1)

    torch.Tensor.type = type_name  # type: ignore[assignment,method-assign]
    for name in ("FloatTensor", "HalfTensor", "BFloat16Tensor", "IntTensor", "LongTensor"):
        setattr(torch.cuda, name, getattr(torch, name))


def _replace_placement() -> None:
    def stay(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self

    torch.Tensor.cuda = stay  # type: ignore[method-assign]
    torch.nn.Module.cuda = stay  # type: ignore[method-assign]
    torch.cuda.current_device = lambda: _CPU  # type: ignore[assignment,return-value]
    torch.cuda.device_count = lambda: 0


class _Event:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def record(self, *args: Any) -> None:
        pass

    wait = synchronize = record

    def query(self) -> bool:
        return True


class _Stream:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def wait_stream(self, *args: Any) -> None:
        pass

    wait_event = synchronize = wait_stream

    def record_event(self, *args: Any) -> _Event:
        return _Event()


def _replace_streams() -> None:
    stream = _Stream()
    cuda: Any = torch.cuda
    cuda.Stream, cuda.Event = _Stream, _Event
    cuda.current_stream = cuda.default_stream = lambda *args: stream
    cuda.stream = lambda *args: contextlib.nullcontext()
    cuda.synchronize = cuda.empty_cache = lambda *args: None
    cuda.nvtx.range_push = cuda.nvtx.range_pop = lambda *args: None


def _replace_rng() -> None:
    cuda: Any = torch.cuda
    cuda.get_rng_state = lambda device=None: torch.get_rng_state()
    cuda.set_rng_state = lambda state, device=None: torch.set_rng_state(state)
    cuda.manual_seed = torch.default_generator.manual_seed
    cuda.initial_seed = torch.initial_seed
    cuda.random.get_rng_state, cuda.random.set_rng_state = cuda.get_rng_state, cuda.set_rng_state

    import megatron.core.tensor_parallel.random as tracker

    module: Any = tracker
    module._get_cuda_rng_state = lambda device="cuda", clone=False, graph_safe=False: torch.get_rng_state()
    module._set_cuda_rng_state = lambda state, device=-1, graph_safe=False: torch.set_rng_state(state)
