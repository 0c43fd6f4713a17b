"""The Mamba-2 mixer against transformers' torch path, and the attention core against megatron-core's unfused one.

Everything runs forward and backward in float32 on two threads. Peer and ours get the same weights and input, and
their outputs and gradients are compared before anything is timed.

Memory: each attention core runs in a fresh process. The kernel's high-water mark of resident memory (VmHWM) is
reset once everything is imported and warm, so that its growth is what inputs, one pass and the gradients take at most.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from _harness import Ratio, median_seconds, quick, report

THREADS = 2


@dataclass(frozen=True)
class Shape:
    """Sizes of a mixer and of its input."""

    hidden: int
    inner: int
    head_dim: int
    state: int
    groups: int
    chunk: int
    batch: int
    length: int

    @property
    def heads(self) -> int:
        return self.inner // self.head_dim


MIXERS = {f"state128_{length}": Shape(512, 1024, 64, 128, 1, 256, 1, length) for length in (1024, 2048)} | {
    "miniature": Shape(128, 256, 32, 32, 1, 64, 16, 64)
}
"""The miniature's sizes are those of recipes/models/miniature_hybrid.yaml and of a batch of its mid-training."""

MIXER_GOALS = {"miniature": 1.3}
"""All others: 3."""

TOKENS, HEADS, HEAD_DIM = 2048, 8, 64

ATTENTION = {"ours": "SdpaCoreAttention", "megatron-core": "DotProductAttention"}


def main() -> None:
    os.environ["PRISM_BACKEND"] = "cpu"  # for the child processes too
    torch.set_num_threads(THREADS)
    rounds = 1 if quick() else 9
    # First the peers: once prism.megatron is imported, CUDA calls are stood in for, which transformers must not see.
    peers = {name: transformers_mixer(shape) for name, shape in MIXERS.items()}

    from prism.megatron.parallel import Layout, process_groups

    ratios: dict[str, Ratio] = {}
    figures: dict[str, Any] = {"threads": THREADS}
    with process_groups(Layout(), seed=1):
        for name, shape in MIXERS.items():
            seconds, error = compare_mixers(peers[name], shape, rounds)
            ratios[f"mixer_{name}_over_transformers"] = Ratio(
                seconds["transformers"] / seconds["ours"], MIXER_GOALS.get(name, 3.0)
            )
            figures |= {f"mixer {name}, {side} ms": 1e3 * value for side, value in seconds.items()}
            figures[f"mixer {name}, largest difference"] = error
            if shape.state == 128:
                seconds, error = compare_scans(shape, rounds)
                ratios[f"scan_{name}_over_transformers"] = Ratio(seconds["transformers"] / seconds["ours"], 3.0)
                figures |= {f"scan {name}, {side} ms": 1e3 * value for side, value in seconds.items()}
                figures[f"scan {name}, largest difference"] = error
        seconds, error = compare_attention(rounds)
    ratios["attention_over_unfused"] = Ratio(seconds["megatron-core"] / seconds["ours"], 2.0)
    figures |= {f"attention, {side} ms": 1e3 * value for side, value in seconds.items()}
    figures["attention, largest difference"] = error
    memory = {side: _memory_of(side) for side in ATTENTION}
    ratios["attention_memory_over_unfused"] = Ratio(memory["ours"] / memory["megatron-core"], 1 / 3, "at_most")
    figures |= {f"attention, {side} peak MiB": value for side, value in memory.items()}
    report("kernels", ratios, figures)


def transformers_mixer(shape: Shape) -> torch.nn.Module:
    """Their mixer with weights as Mamba-2 starts: dt in 0.001..0.1, decay rates in 1..16."""
    from transformers import NemotronHConfig
    from transformers.models.nemotron_h.modeling_nemotron_h import NemotronHMamba2Mixer

    torch.manual_seed(1)
    config = NemotronHConfig(
        hidden_size=shape.hidden,
        mamba_num_heads=shape.heads,
        mamba_head_dim=shape.head_dim,
        ssm_state_size=shape.state,
        n_groups=shape.groups,
        chunk_size=shape.chunk,
        conv_kernel=4,
        time_step_min=0.0,  # their lower bound of dt, which ours doesn't have
        layers_block_type=["linear_attention"],
    )
    mixer = NemotronHMamba2Mixer(config, layer_idx=0)
    with torch.no_grad():
        steps = torch.empty(shape.heads).uniform_(-6.9, -2.3).exp()
        mixer.dt_bias.copy_(steps + torch.log(-torch.expm1(-steps)))
        mixer.A_log.copy_(torch.empty(shape.heads).uniform_(1, 16).log())
    return mixer


def prism_mixer(peer: torch.nn.Module, shape: Shape) -> torch.nn.Module:
    """Ours with the peer's weights; both name them alike."""
    from megatron.core.process_groups_config import ProcessGroupCollection

    from prism.megatron.config import transformer_config
    from prism.megatron.mamba import MambaMixer
    from prism.megatron.parallel import Layout
    from prism.recipe import load_recipe

    sizes = {
        "hidden_size": shape.hidden,
        "mamba.inner_size": shape.inner,
        "mamba.head_dim": shape.head_dim,
        "mamba.state_dim": shape.state,
        "mamba.num_groups": shape.groups,
    }
    model = load_recipe("miniature_hybrid", [f"model.{key}={value}" for key, value in sizes.items()]).model
    groups = ProcessGroupCollection.use_mpu_process_groups(required_pgs=["tp"])
    mixer = MambaMixer(transformer_config(model, Layout(), "fp32"), shape.hidden, 1, groups, shape.chunk, conv_kernel=4)
    theirs = dict(peer.named_parameters())
    with torch.no_grad():
        for name, parameter in mixer.named_parameters():
            parameter.copy_(theirs.pop(name))
    assert not theirs, f"not in ours: {sorted(theirs)}"
    return mixer


def compare_mixers(peer: torch.nn.Module, shape: Shape, rounds: int) -> tuple[dict[str, float], float]:
    """Median seconds of each, and the largest difference of output and gradients, relative to each one's scale."""
    ours = prism_mixer(peer, shape)
    x = torch.randn(shape.batch, shape.length, shape.hidden)
    gradient = torch.randn_like(x)
    # Each in the layout that its framework hands it: ours has positions first.
    their_x = x.clone().requires_grad_()
    our_x = x.transpose(0, 1).contiguous().requires_grad_()
    our_gradient = gradient.transpose(0, 1).contiguous()
    their_leaves = [their_x, *(parameter for _, parameter in sorted(peer.named_parameters()))]
    our_leaves = [our_x, *(parameter for _, parameter in sorted(ours.named_parameters()))]

    def their_pass() -> list[torch.Tensor]:
        out = peer(their_x)
        return [out, *torch.autograd.grad(out, their_leaves, gradient)]

    def our_pass() -> list[torch.Tensor]:
        out, _bias = ours(our_x)
        return [out, *torch.autograd.grad(out, our_leaves, our_gradient)]

    inner = torch.randn(shape.batch, shape.length, shape.inner, requires_grad=True)

    def projections() -> None:
        """What both sides have in common, and no kernel of ours can shorten."""
        for layer, given in ((peer.in_proj, their_x), (peer.out_proj, inner)):
            out = layer(given)
            torch.autograd.grad(out, [given, layer.weight], out.detach())

    mine, reference = our_pass(), their_pass()
    mine[:2] = [tensor.transpose(0, 1) for tensor in mine[:2]]
    error = agreement(mine, reference)
    contenders = {"transformers": their_pass, "ours": our_pass, "projections alone": projections}
    return median_seconds(contenders, rounds), error


def compare_scans(shape: Shape, rounds: int) -> tuple[dict[str, float], float]:
    """As `compare_mixers`, for the scan alone: the mixer's projections take both sides the same time."""
    from transformers.models.nemotron_h.modeling_nemotron_h import mamba2_chunk_scan

    from prism.kernels.ssd import ssd_scan

    generator = torch.Generator().manual_seed(1)
    heads = (shape.batch, shape.length, shape.heads)
    groups = (shape.batch, shape.length, shape.groups, shape.state)
    leaves = [
        torch.randn(*heads, shape.head_dim, generator=generator),
        torch.empty(heads).uniform_(-6.9, -2.3, generator=generator).exp(),
        -torch.empty(shape.heads).uniform_(1, 16, generator=generator),
        torch.randn(groups, generator=generator),
        torch.randn(groups, generator=generator),
        torch.randn(shape.heads, generator=generator),
    ]
    for leaf in leaves:
        leaf.requires_grad_()
    gradient = torch.randn(*heads, shape.head_dim, generator=generator)

    def their_pass() -> list[torch.Tensor]:
        out = mamba2_chunk_scan(*leaves[:5], shape.chunk, D=leaves[5])
        return [out, *torch.autograd.grad(out, leaves, gradient)]

    def our_pass() -> list[torch.Tensor]:
        out = ssd_scan(*leaves, chunk_size=shape.chunk).y
        return [out, *torch.autograd.grad(out, leaves, gradient)]

    error = agreement(our_pass(), their_pass())
    return median_seconds({"transformers": their_pass, "ours": our_pass}, rounds), error


def compare_attention(rounds: int) -> tuple[dict[str, float], float]:
    """As `compare_mixers`, for causal attention."""
    passes = {side: attention_pass(side, TOKENS) for side in ATTENTION}
    error = agreement(passes["ours"](), passes["megatron-core"]())
    return median_seconds(passes, rounds), error


def attention_pass(side: str, tokens: int) -> Callable[[], list[torch.Tensor]]:
    """One pass: output, and gradients of query, key and value."""
    from megatron.core.transformer.dot_product_attention import DotProductAttention
    from megatron.core.transformer.enums import AttnMaskType

    from prism.megatron.attention import SdpaCoreAttention
    from prism.megatron.config import transformer_config
    from prism.megatron.parallel import Layout
    from prism.recipe import load_recipe

    changes = [f"model.hidden_size={HEADS * HEAD_DIM}", f"model.num_attention_heads={HEADS}"]
    config = transformer_config(load_recipe("miniature", changes).model, Layout(), "fp32")
    core_class = {kind.__name__: kind for kind in (SdpaCoreAttention, DotProductAttention)}[ATTENTION[side]]
    core = core_class(config, 1, AttnMaskType.causal, "self")
    generator = torch.Generator().manual_seed(1)
    *leaves, gradient = (torch.randn(tokens, 1, HEADS, HEAD_DIM, generator=generator) for _ in range(4))
    for leaf in leaves:
        leaf.requires_grad_()

    def run() -> list[torch.Tensor]:
        out = core(*leaves, None)
        return [out, *torch.autograd.grad(out, leaves, gradient.flatten(2))]

    return run


def agreement(mine: list[torch.Tensor], reference: list[torch.Tensor]) -> float:
    """The largest difference, relative to the scale of each tensor.

    Raises:
        AssertionError: it's more than float32 explains.
    """
    pairs = [(a.detach(), b.detach()) for a, b in zip(mine, reference, strict=True)]
    error = max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
    assert error < 1e-3, f"peer and ours differ by {error:.2g}: they don't compute the same"
    return error


def _memory_of(side: str) -> float:
    command = [sys.executable, "-c", f"import kernels; kernels.print_peak_memory({side!r})"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    return float(done.stdout.splitlines()[-1])


def print_peak_memory(side: str) -> None:
    """MiB that inputs, one pass and its gradients add to this process at most."""
    from prism.megatron.parallel import Layout, process_groups

    torch.set_num_threads(THREADS)
    with process_groups(Layout(), seed=1):
        attention_pass(side, 64)()
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM falls to what is resident now
        before = _resident_kib("VmHWM")
        kept = attention_pass(side, TOKENS)()
        peak = _resident_kib("VmHWM")
    assert len(kept) == 4
    print((peak - before) / 1024)


def _resident_kib(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise AssertionError(f"no {field} in /proc/self/status: peak memory can be measured on Linux only")


if __name__ == "__main__":
    main()
