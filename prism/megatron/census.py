"""What the parts of a model hold and do on one rank: asked of the real model, of fake tensors, in seconds.

One process believes that it is a rank of the layout's tensor- and context-parallel groups, builds megatron-core's
model with one layer of each kind, and runs a micro batch forwards and backwards. Every tensor is fake: shapes and
storages are real, memory and time aren't spent. A second model with one more layer of a kind says what it adds.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import megatron.core.tensor_parallel.random as rng
import torch
from megatron.core import parallel_state
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from prism.formats.megatron_keys import padded_vocabulary
from prism.megatron.build import construct
from prism.megatron.census_kernels import gpu_kernels
from prism.megatron.census_record import Recorder, WorkList
from prism.megatron.config import transformer_config
from prism.megatron.parallel import Layout
from prism.megatron.true_size import as_rank

if TYPE_CHECKING:
    from prism.recipe import ModelConfig

Kernels = Literal["gpu", "cpu"]
KINDS = {"M": "Mamba-2", "*": "attention", "-": "MLP", "L": "layer"}
"""Of layers: those of a hybrid's pattern, and a dense model's."""


@dataclass(frozen=True)
class Question:
    """What a census depends on.

    length: tokens of a sequence, over all context-parallel ranks.
    kernels: those of a GPU, or those that a CPU takes.
    """

    model: ModelConfig
    vocab_size: int
    tensor: int
    context: int
    sequence_parallel: bool
    recompute: str
    loss_chunk_tokens: int | None
    micro_batch_size: int
    length: int
    precision: str
    trainable: str = "all"
    kernels: Kernels = "gpu"


@dataclass(frozen=True)
class Part:
    """A layer, or the model's two ends (embedding, final norm and loss). Bytes of one rank and one micro batch.

    parameters: on this rank.  trained: those of them that have gradients.
    kept: bytes that wait for the backward pass.
    transient: bytes beside what is kept, at the worst moment of the part's backward pass (or forward, if that is more).
    """

    parameters: int
    trained: int
    kept: int
    transient: int
    forward: WorkList
    backward: WorkList


@dataclass(frozen=True)
class Census:
    """`embedding` and `output` are parameters of one rank; a tied output counts where a stage holds a copy.

    norm: parameters of the final norm.
    boundary: bytes of what a pipeline stage hands on.
    ends: of a model in one piece; its `kept` goes to the stage with the loss, its `transient` is the loss's.
    ends_before_loss: what of `ends.kept` is there before the loss, and still when its backward pass is over.
    """

    layers: Mapping[str, Part]
    ends: Part
    ends_before_loss: int
    embedding: int
    output: int
    norm: int
    boundary: int
    model_parameters: int


@cache
def take(question: Question) -> Census:
    """The census; the same question is asked once a process."""
    kinds = _kinds(question.model)
    once = _Run(question, kinds)
    layers: dict[str, Part] = {}
    for kind in dict.fromkeys(kinds):
        more = _Run(question, kinds + kind)
        layers[kind] = Part(
            parameters=more.parameters - once.parameters,
            trained=more.trained - once.trained,
            kept=more.kept - once.kept,
            transient=max(once.layers_transient, more.layers_transient),
            forward=more.forward_work - once.forward_work,
            backward=more.backward_work - once.backward_work,
        )
    forward, backward = Counter(once.forward_work), Counter(once.backward_work)
    for part in layers.values():
        forward, backward = forward - part.forward, backward - part.backward
    ends = Part(
        parameters=once.parameters - sum(part.parameters for part in layers.values()),
        trained=once.trained - sum(part.trained for part in layers.values()),
        kept=once.kept - sum(part.kept for part in layers.values()),
        transient=once.loss_transient,
        forward=forward,
        backward=backward,
    )
    return Census(
        layers=layers,
        ends=ends,
        ends_before_loss=once.kept_before_loss - sum(part.kept for part in layers.values()),
        embedding=once.embedding,
        output=once.output,
        norm=once.norm,
        boundary=once.boundary,
        model_parameters=_whole(question, once, layers),
    )


def layer_kinds(model: ModelConfig) -> str:
    """A character a layer, as `Census.layers` names them."""
    return model.hybrid_pattern or "L" * model.num_layers


def _kinds(model: ModelConfig) -> str:
    return "".join(dict.fromkeys(layer_kinds(model)))


def _whole(question: Question, once: _Run, layers: Mapping[str, Part]) -> int:
    """Parameters of the model: no padding, no copies."""
    counts = Counter(layer_kinds(question.model))
    inside = sum(counts[kind] * (once.whole_layers[kind]) for kind in layers)
    tables = (1 if question.model.tie_embeddings else 2) * question.vocab_size * question.model.hidden_size
    return inside + tables + once.norm


class _Run:
    """One micro batch through a model with the layers `kinds`."""

    def __init__(self, question: Question, kinds: str) -> None:
        model = _with_layers(question.model, kinds)
        layout = Layout(
            tensor=question.tensor,
            context=question.context,
            sequence_parallel=question.sequence_parallel,
            recompute=question.recompute,
            loss_chunk_tokens=question.loss_chunk_tokens,
        )
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")  # of deprecated names, and of a GPU's environment
            # The last tensor-parallel rank's part holds the padding; the first's is as large.
            stack.enter_context(as_rank(0, question.tensor * question.context, layout))
            stack.enter_context(_without_random_state())
            stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
            config = transformer_config(model, layout, "bf16" if question.precision == "fp8" else question.precision)
            module = construct(config, model, question.vocab_size)
            module.loss_chunk = question.loss_chunk_tokens
            _set_precision(module, config.params_dtype)
            _freeze(module, question.trainable)
            self._count(module, model, question)
            recorder = Recorder(groups=_group_names())
            if question.kernels == "gpu":
                stack.enter_context(gpu_kernels(recorder))
            stack.enter_context(recorder)
            self._pass(module, question, recorder)

    def _count(self, module: Any, model: ModelConfig, question: Question) -> None:
        named = dict(module.named_parameters())
        self.parameters = sum(one.numel() for one in named.values())
        self.trained = sum(one.numel() for one in named.values() if one.requires_grad)
        rows = padded_vocabulary(question.vocab_size, question.tensor) // question.tensor
        self.embedding = rows * model.hidden_size
        self.output = rows * model.hidden_size
        self.norm = model.hidden_size
        self.whole_layers: dict[str, int] = {}
        for layer, kind in zip(module.decoder.layers, layer_kinds(model), strict=True):
            self.whole_layers[kind] = sum(
                one.numel() * (question.tensor if getattr(one, "tensor_model_parallel", False) else 1)
                for one in layer.parameters()
            )

    def _pass(self, module: Any, question: Question, recorder: Recorder) -> None:
        rows, length = question.micro_batch_size, question.length // question.context
        tokens, labels = (torch.zeros(rows, length, dtype=torch.int64) for _ in range(2))
        positions = torch.arange(length).expand(rows, length)
        seen: dict[str, Any] = {}

        def after_layers(_: Any, __: Any, output: Tensor) -> None:
            seen["after layers"] = recorder.live_bytes
            seen["boundary"] = output.numel() * output.element_size()
            recorder.restart_peak()
            output.register_hook(before_layers)

        def before_layers(_: Tensor) -> None:
            seen["loss peak"] = recorder.peak_bytes
            recorder.restart_peak()

        hook = module.decoder.register_forward_hook(after_layers)
        module.train()
        start = recorder.live_bytes
        recorder.take_work()
        losses = module(tokens, positions, None, labels=labels)
        hook.remove()
        self.forward_work = recorder.take_work()
        self.kept = recorder.live_bytes - start
        (losses.sum() / losses.numel()).backward()
        self.backward_work = recorder.take_work()
        after = seen["after layers"]
        self.loss_transient = seen["loss peak"] - start - self.kept
        self.kept_before_loss = after - start
        self.layers_transient = max(0, recorder.peak_bytes - after)
        self.boundary = seen["boundary"]


def _with_layers(model: ModelConfig, kinds: str) -> ModelConfig:
    changes: dict[str, Any] = {"num_layers": len(kinds)}
    if model.hybrid_pattern:
        changes["hybrid_pattern"] = kinds
    return model.model_copy(update=changes)


def _set_precision(module: torch.nn.Module, dtype: torch.dtype) -> None:
    """As megatron-core's Float16Module, whose way torch refuses for fake tensors; gradients go as soon as they come."""
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is None:
                continue
            if parameter.dtype != dtype:
                narrow = torch.nn.Parameter(parameter.detach().to(dtype))
                narrow.__dict__.update(parameter.__dict__)
                part._parameters[name] = parameter = narrow
            parameter.register_post_accumulate_grad_hook(_drop_gradient)


def _drop_gradient(parameter: Tensor) -> None:
    """As the data-parallel wrapper, which adds it to a buffer of all gradients."""
    parameter.grad = None


def _freeze(module: Any, trainable: str) -> None:
    if trainable == "attention":
        from prism.megatron.trainee import freeze_all_but_attention

        freeze_all_but_attention(module)


def _group_names() -> dict[str, str]:
    return {
        parallel_state.get_tensor_model_parallel_group().group_name: "tensor",
        parallel_state.get_context_parallel_group().group_name: "context",
    }


@contextmanager
def _without_random_state() -> Iterator[None]:
    """megatron-core looks at the random state around dropout and recomputation, which fake tensors have none of."""

    @contextmanager
    def nothing(*_: Any, **__: Any) -> Iterator[None]:
        yield

    module, tracker = rng, rng.CudaRNGStatesTracker
    before = tracker.fork, module._fork_rng, module._get_all_rng_states, module._set_all_rng_states
    tracker.fork, module._fork_rng = nothing, nothing
    module._get_all_rng_states, module._set_all_rng_states = (lambda: ()), (lambda *_: None)
    try:
        yield
    finally:
        tracker.fork, module._fork_rng, module._get_all_rng_states, module._set_all_rng_states = before
