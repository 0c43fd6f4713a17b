"""GPUs, driver, CUDA, NCCL and NVLink. Torch is asked where it can tell; nvidia-smi where it can't.

The formats of nvidia-smi are those of NVIDIA's documentation; they were not seen on a machine with a GPU.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator

from prism.doctor.infiniband import infiniband
from prism.doctor.machine import Machine
from prism.doctor.row import Row, Verdict

_GIB = 2**30
_LEAST_FREE = 0.9


def device(machine: Machine) -> Iterator[Row]:
    """Rows of the accelerator; none of them a fault on a machine without one."""
    if importlib.util.find_spec("torch") is None:
        yield Row("device", "gpu", "torch is missing", Verdict.UNNEEDED, "install torch: see the row torch")
    else:
        yield from _torch_rows(machine)
    yield _driver(machine)
    yield _nvlink(machine)
    yield infiniband(machine)


def _torch_rows(machine: Machine) -> Iterator[Row]:
    import torch

    runtime = torch.version.cuda
    if not torch.cuda.is_available():
        yield _no_gpu(machine, torch.__version__, runtime)
        yield Row("device", "cuda", runtime or "a build for the CPU", Verdict.UNNEEDED, "install a CUDA build of torch")
        yield Row("device", "nccl", "none without a GPU; gloo", Verdict.UNNEEDED, "install a CUDA build of torch")
        return
    yield _gpu()
    yield Row("device", "cuda", f"{runtime}, cuDNN {torch.backends.cudnn.version()}", Verdict.OK)
    version = torch.cuda.nccl.version() if torch.distributed.is_nccl_available() else None
    if version is None:
        yield Row(
            "device", "nccl", "missing from this torch", Verdict.FAILS, "install the CUDA build of torch for Linux"
        )
    else:
        yield Row("device", "nccl", ".".join(str(part) for part in version), Verdict.OK)


def _no_gpu(machine: Machine, torch_version: str, runtime: str | None) -> Row:
    if not machine.has_nvidia:
        return Row(
            "device", "gpu", "none: the CPU with gloo and torch kernels", Verdict.UNNEEDED, "take a node with a GPU"
        )
    if machine.environment("CUDA_VISIBLE_DEVICES") in ("", "-1", "NoDevFiles"):
        return Row("device", "gpu", "hidden", Verdict.FAILS, "unset CUDA_VISIBLE_DEVICES, or ask Slurm for --gpus")
    if runtime is None:
        found = f"a driver, but torch {torch_version} is a build for the CPU"
        return Row("device", "gpu", found, Verdict.FAILS, "install the CUDA build of the same torch")
    found = f"a driver, but torch's CUDA {runtime} finds no device"
    remedy = f"update the driver to one for CUDA {runtime}, or see `nvidia-smi` for what it says"
    return Row("device", "gpu", found, Verdict.FAILS, remedy)


def _gpu() -> Row:
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    free, total = torch.cuda.mem_get_info(0)
    major, minor = torch.cuda.get_device_capability(0)
    found = f"{len(names)} x {names[0]}, {free / _GIB:.1f} of {total / _GIB:.1f} GiB free, sm_{major}{minor}"
    problem = gpu_problem(set(names), (major, minor), torch.cuda.get_arch_list(), free / total)
    if problem is None:
        return Row("device", "gpu", found, Verdict.OK)
    verdict, what, remedy = problem
    return Row("device", "gpu", f"{found}; {what}", verdict, remedy)


def gpu_problem(
    names: set[str], capability: tuple[int, int], architectures: list[str], free: float
) -> tuple[Verdict, str, str] | None:
    """What is wrong with the GPUs that torch sees. `free`: share of the first one's memory."""
    major, minor = capability
    numbers = [int(found[1]) for name in architectures if (found := re.match(r"(?:sm|compute)_(\d+)", name))]
    if not any(number // 10 == major and number % 10 <= minor for number in numbers):
        remedy = "install a torch that is built for this GPU"
        return Verdict.FAILS, f"this torch is built for {', '.join(architectures)}", remedy
    if len(names) > 1:
        remedy = "choose equal ones with CUDA_VISIBLE_DEVICES: the slowest sets the pace"
        return Verdict.SLOW, f"different kinds: {', '.join(sorted(names))}", remedy
    if free < _LEAST_FREE:
        return Verdict.SLOW, "others use its memory", "see `nvidia-smi`, and end what else runs there"
    return None


def _driver(machine: Machine) -> Row:
    answer = machine.ask("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    if answer is not None and answer.code == 0:
        return Row("device", "driver", answer.first_line, Verdict.OK)
    if answer is not None:
        remedy = "reload the driver or reboot the node; in a container start it with --gpus all"
        return Row("device", "driver", f"nvidia-smi: {answer.first_line}", Verdict.FAILS, remedy)
    version = machine.read("/proc/driver/nvidia/version")
    found = re.search(r"(\d+\.\d+(?:\.\d+)?)", version or "")
    if found:
        return Row("device", "driver", found[1], Verdict.OK)
    return Row("device", "driver", "none", Verdict.UNNEEDED, "install NVIDIA's driver")


def _nvlink(machine: Machine) -> Row:
    answer = machine.ask("nvidia-smi", "topo", "-m")
    if answer is None or answer.code != 0:
        return Row("device", "nvlink", "not to be asked", Verdict.UNNEEDED, "take a node with GPUs joined by NVLink")
    return nvlink_row(answer.output)


def nvlink_row(matrix: str) -> Row:
    """From `nvidia-smi topo -m`: a line a GPU, with NV<links> in the column of a GPU that it is joined to."""
    rows = [line.split() for line in matrix.splitlines() if re.match(r"\s*GPU\d+\s+(X|NV|PIX|PXB|PHB|NODE|SYS)", line)]
    count = len(rows)
    if count < 2:
        return Row("device", "nvlink", f"{count} GPU", Verdict.UNNEEDED, "one GPU needs none")
    pairs = [cell for row in rows for cell in row[1 : count + 1] if cell != "X"]
    linked = [cell for cell in pairs if cell.startswith("NV")]
    if len(linked) == len(pairs):
        return Row("device", "nvlink", f"{count} GPUs, {'/'.join(sorted(set(linked)))} between all", Verdict.OK)
    found = f"{count} GPUs, {len(linked)} of {len(pairs)} ways by NVLink"
    return Row("device", "nvlink", found, Verdict.SLOW, "keep tensor_parallel within GPUs that NVLink joins")
