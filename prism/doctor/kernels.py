"""Fused kernels: whether each imports, fits this torch, and computes what the torch reference does."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from prism.doctor.machine import Machine
from prism.doctor.row import Row, Verdict


@dataclass(frozen=True)
class _Kernel:
    """`without` is what runs in its place; `rebuild` builds `package` anew against the torch that is there."""

    name: str
    module: str
    package: str
    without: str
    rebuild: str
    run: Callable[[Any], str | None]


def kernels(machine: Machine, *, run: bool) -> Iterator[Row]:
    """A row a package. Each runs once where there is a CUDA device and `run` is set."""
    if importlib.util.find_spec("torch") is None:
        yield Row("kernels", "attention", "torch is missing", Verdict.UNNEEDED, "install torch: see the row torch")
        return
    if run:
        yield _torch_attention()
    pins = {pin.package: pin.version for pin in machine.pins() if pin.extra == "cuda"}
    for kernel in _KERNELS:
        yield _row(machine, kernel, pins.get(kernel.package), run=run)


def _row(machine: Machine, kernel: _Kernel, pin: str | None, *, run: bool) -> Row:
    import torch

    from prism.kernels.select import try_import

    wanted = f"=={pin}" if pin else ""
    if importlib.util.find_spec(kernel.name) is None:
        remedy = (
            f"on a GPU: {kernel.rebuild}{wanted}" if torch.cuda.is_available() else "use the container of containers/"
        )
        return Row("kernels", kernel.name, f"absent; {kernel.without}", Verdict.UNNEEDED, remedy)
    module, obstacle = try_import(kernel.module)
    if obstacle is not None:
        return Row("kernels", kernel.name, obstacle, Verdict.FAILS, f"{kernel.rebuild}{wanted}")
    version = machine.version(kernel.package) or "there"
    other = pin is not None and version not in (pin, "there")
    if not run or not torch.cuda.is_available():
        found = f"{version}, imports; not run" + ("" if torch.cuda.is_available() else ": it needs CUDA")
        return Row(
            "kernels", kernel.name, found, Verdict.SLOW if other else Verdict.OK, f"tested with {pin}" if other else ""
        )
    problem = outcome(kernel.run, module)
    if problem is not None:
        return Row("kernels", kernel.name, f"{version}: {problem}", Verdict.FAILS, f"{kernel.rebuild}{wanted}")
    found = f"{version}, imports and computes what torch does"
    return Row(
        "kernels", kernel.name, found, Verdict.SLOW if other else Verdict.OK, f"tested with {pin}" if other else ""
    )


def outcome(run: Callable[[Any], str | None], module: Any) -> str | None:
    """What went wrong when a kernel ran; None when nothing did. Whatever a binary raises is its row's, not doctor's."""
    try:
        return run(module)
    except Exception as error:
        return f"doesn't run ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"


def _torch_attention() -> Row:
    import torch

    from prism.doctor.parity import attention_parity

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    problem = outcome(lambda _: _told(attention_parity(device, dtype)), None)
    if problem is not None:
        return Row(
            "kernels", "attention", f"torch's SDPA: {problem}", Verdict.FAILS, "reinstall torch: see the row torch"
        )
    return Row("kernels", "attention", f"torch's SDPA on {device.type}", Verdict.OK)


def run_scan(module: Any, device: str = "cuda") -> str | None:
    """mamba_ssm's scan, forward and backward, against the reference; what differs, if anything."""
    import torch

    from prism.doctor.parity import scan_parity
    from prism.kernels import fused

    return _told(scan_parity(fused.ssd_scan(module), torch.device(device), torch.float32))


def run_conv(module: Any, device: str = "cuda") -> str | None:
    """causal_conv1d against the reference."""
    import torch

    from prism.doctor.parity import conv_parity
    from prism.kernels import fused

    return _told(conv_parity(fused.causal_conv(module), torch.device(device), torch.float32))


def _run_linear(module: Any) -> str | None:
    """Transformer Engine's linear layer against torch's matrix product, in bf16."""
    import torch

    layer = module.Linear(256, 128, bias=False, params_dtype=torch.bfloat16, device="cuda")
    x = torch.randn(64, 256, dtype=torch.bfloat16, device="cuda")
    wanted = x.double() @ layer.weight.double().mT
    difference = float((layer(x).double() - wanted).norm() / wanted.norm())
    return None if difference < 2e-2 else f"its linear layer differs by {difference:.1e}"


def _run_adam(module: Any) -> str | None:
    """Apex's FusedAdam against torch's AdamW, one step."""
    import torch

    found, wanted = (torch.nn.Parameter(torch.ones(1_000, device="cuda")) for _ in range(2))
    options: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.1}
    for optimizer in (module.FusedAdam([found], **options), torch.optim.AdamW([wanted], **options)):
        for weight in (found, wanted):
            weight.grad = torch.ones_like(weight)
        optimizer.step()
    difference = float((found - wanted).abs().max())
    return None if difference < 1e-5 else f"its AdamW differs by {difference:.1e}"


def _told(parity: Any) -> str | None:
    name, difference = parity.worst
    return (
        None if parity.holds else f"{parity.kernel} differs: {name} by {difference:.1e}, at most {parity.tolerance:.0e}"
    )


_PIP = "pip install --no-deps --no-build-isolation --no-cache-dir --force-reinstall"

_KERNELS = (
    _Kernel(
        "mamba_ssm",
        "mamba_ssm.ops.triton.ssd_combined",
        "mamba-ssm",
        "a chunked scan in torch",
        f"MAMBA_FORCE_BUILD=TRUE {_PIP} mamba-ssm",
        run_scan,
    ),
    _Kernel(
        "causal_conv1d",
        "causal_conv1d",
        "causal-conv1d",
        "shifted adds in torch",
        f"CAUSAL_CONV1D_FORCE_BUILD=TRUE {_PIP} causal-conv1d",
        run_conv,
    ),
    _Kernel(
        "transformer_engine",
        "transformer_engine.pytorch",
        "transformer-engine",
        "torch's matmul; no fp8",
        f"NVTE_FRAMEWORK=pytorch {_PIP} transformer-engine-torch",
        _run_linear,
    ),
    _Kernel(
        "apex",
        "apex.optimizers",
        "apex",
        "torch's fused AdamW",
        f"{_PIP} --config-settings '--build-option=--cpp_ext --cuda_ext' git+https://github.com/NVIDIA/apex",
        _run_adam,
    ),
)
