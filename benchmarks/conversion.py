"""Converting a 3 GB bf16 checkpoint both ways: peak memory, and speed against copying the same files with cp.

Each conversion runs in a process of its own; memory is its anonymous and shared pages (smaps_rollup, sampled every
20 ms), not pages of mapped files. Both sides write to the disk for good: cp is followed by sync. Before each run the
checkpoint's files are dropped from the page cache; Python and torch are not.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from _harness import Ratio, quick, report
from safetensors.torch import save_file

ROOT = Path(__file__).parents[1]
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 2560,
    "intermediate_size": 8192,
    "num_attention_heads": 20,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": False,
    "vocab_size": 32000,
    "torch_dtype": "bfloat16",
}
_PRISM = [sys.executable, "-m", "prism.cli", "convert"]


def main() -> None:
    small = quick()
    layers, rounds = (2, 1) if small else (17, 3)
    with tempfile.TemporaryDirectory(dir=os.environ.get("PRISM_BENCH_DIR")) as folder:
        root = Path(folder)
        _make(root / "hf", layers)
        size = sum(file.stat().st_size for file in (root / "hf").iterdir())
        seconds: dict[str, list[float]] = {"cp": [], "to Megatron": [], "to Hugging Face": []}
        memory: dict[str, float] = {}
        for number in range(rounds + 1):
            for name, command in _commands(root).items():
                _forget(root)
                if number == rounds:  # looking at memory slows a process down: a round of its own
                    memory[name] = _peak_memory(command)
                else:
                    seconds[name].append(_seconds(command))
            for made in ("copy", "megatron", "back"):
                shutil.rmtree(root / made)
    speed = {name: size / statistics.median(values) / 1e9 for name, values in seconds.items()}
    report(
        "conversion",
        {
            "speed to Megatron over cp": Ratio(speed["to Megatron"] / speed["cp"], 0.6),
            "speed to Hugging Face over cp": Ratio(speed["to Hugging Face"] / speed["cp"], 0.6),
            "peak GB to Megatron": Ratio(memory["to Megatron"] / 1e9, 1.0, "at_most"),
            "peak GB to Hugging Face": Ratio(memory["to Hugging Face"] / 1e9, 1.0, "at_most"),
        },
        {
            "checkpoint GB": size / 1e9,
            "page cache": "the checkpoint's files are dropped from it before each run",
            **{f"{name} GB/s": value for name, value in speed.items()},
            "seconds to start prism convert": _seconds([*_PRISM, "--help"]),
            "GB of a process that only imports torch": _peak_memory([sys.executable, "-c", "import torch"]) / 1e9,
        },
    )


def _commands(root: Path) -> dict[str, list[str]]:
    hf, megatron, back = str(root / "hf"), str(root / "megatron"), str(root / "back")
    return {
        "cp": ["sh", "-c", f"cp -r {hf} {root / 'copy'} && sync -f {root / 'copy'}"],
        "to Megatron": [*_PRISM, "hf-to-megatron", "--from", hf, "--to", megatron],
        "to Hugging Face": [*_PRISM, "megatron-to-hf", "--from", megatron, "--to", back],
    }


def _make(folder: Path, layers: int) -> None:
    """A LLaMA of random weights, in shards of about 1 GB."""
    from prism.models.family import family_of, identify

    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, "num_hidden_layers": layers}))
    model = identify(folder)
    parts = [part for weight in family_of(model).weight_map(model, 32000) for part in weight.parts]
    shards: list[dict[str, torch.Tensor]] = [{}]
    for part in parts:
        if sum(tensor.nbytes for tensor in shards[-1].values()) > 1e9:
            shards.append({})
        shards[-1][part.name] = torch.empty(part.shape, dtype=torch.bfloat16).normal_()
    index = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file(shard, folder / name, metadata={"format": "pt"})
        index |= dict.fromkeys(shard, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


def _seconds(command: list[str]) -> float:
    """Wall seconds of a whole process, start-up included."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, env=_environment(), check=True)
    return time.perf_counter() - began


def _peak_memory(command: list[str]) -> float:
    """The largest anonymous plus shared memory of a process, in bytes."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_environment())
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return peak


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _memory(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return 1024.0 * (sizes.get("Anonymous", 0) + sizes.get("Pss_Shmem", 0))


def _forget(folder: Path) -> None:
    """Writes the files out and takes them from the page cache, so that they are read from the disk."""
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


if __name__ == "__main__":
    main()
