"""Checkpoints for benchmarks: LLaMAs of random weights, their page cache, the memory of processes that work on them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

ROOT = Path(__file__).parents[1]
VOCABULARY = 32_000
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
    "vocab_size": VOCABULARY,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "bfloat16",
}


def make_llama(folder: Path, layers: int, seed: int) -> None:
    """A bf16 LLaMA of 90 M parameters a layer, in shards of about 1 GB, with a tokenizer of as many words as it has."""
    from prism.models.family import family_of, identify

    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, "num_hidden_layers": layers}))
    _write_tokenizer(folder)
    model = identify(folder)
    parts = [part for weight in family_of(model).weight_map(model, VOCABULARY) for part in weight.parts]
    generator = torch.Generator().manual_seed(seed)
    shards: list[dict[str, torch.Tensor]] = [{}]
    for part in parts:
        if sum(tensor.nbytes for tensor in shards[-1].values()) > 1e9:
            shards.append({})
        shards[-1][part.name] = torch.empty(part.shape, dtype=torch.bfloat16).normal_(0, 0.02, generator=generator)
    index = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file(shard, folder / name, metadata={"format": "pt"})
        index |= dict.fromkeys(shard, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


def _write_tokenizer(folder: Path) -> None:
    words = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"w{number}": number for number in range(3, VOCABULARY)}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "<unk>"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    names = {"tokenizer_class": "PreTrainedTokenizerFast"}
    names |= {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))


def bytes_of(folder: Path) -> int:
    """Of the weights."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def forget(folder: Path) -> None:
    """Writes the files out and takes them from the page cache, so that they are read from the disk."""
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def seconds(command: Sequence[str], written: Path | None = None) -> float:
    """Wall seconds of a whole process, start-up included; with `written`, until what it wrote there is on the disk."""
    began = time.perf_counter()
    subprocess.run(command, check=True, **_quietly())
    if written is not None:
        subprocess.run(["sync", "-f", str(written)], check=True)
    return time.perf_counter() - began


def peak_memory(command: Sequence[str]) -> float:
    """The largest anonymous plus shared memory of a process, in bytes, looked at every 20 ms."""
    process = subprocess.Popen(command, **_quietly())
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return peak


def _quietly() -> dict[str, object]:
    return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": {**os.environ, "PYTHONPATH": str(ROOT)}}


def _memory(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return 1024.0 * (sizes.get("Anonymous", 0) + sizes.get("Pss_Shmem", 0))
