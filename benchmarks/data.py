"""Data preparation against its peers: tokenise and index, blend order, opening and reading a blend, packing.

Every contender of tokenising runs in a process of its own, in turn, on the same files with the same tokenizer: the
standard library of the running Python and GSM8K, repeated to 200 MB. datatrove counts with the better of two settings.
Ours reads JSON lines, tokenises, syncs and hashes the files; `encode_batch` alone does none of that.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _corpus import END, write_corpus, write_tokenizer
from _harness import Ratio, median_seconds, quick, report

from data_prep import api
from data_prep.blend.order import blend_order
from data_prep.dataset import order_of, orders_folder
from data_prep.index import IndexedFile
from data_prep.pack.measure import measure_packing
from data_prep.schema import DataConfig, RunSamples

HERE = Path(__file__).parent
PEERS = ("encode_batch", "datatrove_threads", "datatrove_processes", "one_at_a_time")
LENGTH = 8_192


def main() -> None:
    small = quick()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tokenizer(folder / "tokenizer.json", 4_000 if small else 32_000)
        write_corpus(folder / "corpus", 4 if small else 200)
        ratios, figures = tokenising(folder, rounds=1 if small else 3)
        if not small:
            more, shown = memory(folder)
            ratios |= more
            figures |= shown
        for part in (ordering(1_000_000 if small else 100_000_000), reading(folder, small), packing(small)):
            ratios |= part[0]
            figures |= part[1]
    report("data", ratios, figures)


Part = tuple[dict[str, Ratio], dict[str, Any]]


def tokenising(folder: Path, rounds: int) -> Part:
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ("ours", *PEERS)}
    for index in range(rounds):
        for name in list(runs) if index % 2 else reversed(list(runs)):
            runs[name].append(contender(name, folder / "corpus", folder))
    counts = {name: {run["tokens"] for run in found} for name, found in runs.items()}
    if len(set().union(*counts.values())) != 1:
        raise SystemExit(f"contenders disagree on the number of tokens: {counts}")
    seconds = {name: statistics.median(run["seconds"] for run in found) for name, found in runs.items()}
    datatrove = min(seconds["datatrove_threads"], seconds["datatrove_processes"])
    size = sum(path.stat().st_size for path in (folder / "corpus").glob("*.jsonl"))
    return (
        {
            "tokenise: speed over encode_batch alone": Ratio(seconds["encode_batch"] / seconds["ours"], goal=0.95),
            "tokenise: speed over datatrove's best": Ratio(datatrove / seconds["ours"], goal=1.15),
            "tokenise: speed over one document at a time": Ratio(seconds["one_at_a_time"] / seconds["ours"], goal=2.0),
        },
        {
            **{f"tokenise: seconds, {name}": value for name, value in seconds.items()},
            "tokenise: our MB of JSON lines/s": size / seconds["ours"] / 1e6,
            "tokenise: peak memory of ours, MB": max(run["peak_bytes"] for run in runs["ours"]) / 1e6,
        },
    )


def memory(folder: Path) -> Part:
    """Peak memory at 200 MB and at 1 GB of input."""
    few = contender("ours", folder / "corpus", folder)["peak_bytes"]
    write_corpus(folder / "large", 1_000)
    many = contender("ours", folder / "large", folder)["peak_bytes"]
    shutil.rmtree(folder / "large")
    return (
        {
            "memory: peak at 1 GB over 1.5 GB": Ratio(many / 1.5e9, 1.0, "at_most"),
            "memory: peak at 1 GB over peak at 200 MB": Ratio(many / few, 1.15, "at_most"),
        },
        {"memory: peak at 200 MB, MB": few / 1e6, "memory: peak at 1 GB, MB": many / 1e6},
    )


def contender(name: str, corpus: Path, folder: Path) -> dict[str, float]:
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, str(HERE / "_tokenise.py"), name, str(corpus), str(folder / "tokenizer.json"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2_000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def ordering(samples: int) -> Part:
    """13 sources, as the paper's largest mixture has with the three chat sets apart."""
    from megatron.core.datasets import helpers_cpp

    weights = np.array([5, 2, 2, 1, 20, 7, 10, 3, 10, 13.75, 13.75, 7.75, 4.75])
    shares = weights / weights.sum()
    found: dict[str, Any] = {}

    def ours() -> None:
        found["ours"] = None
        found["ours"] = blend_order(weights.tolist(), samples)

    def helper() -> None:
        found["helper"] = None
        sources, numbers = np.zeros(samples, np.int16), np.zeros(samples, np.int64)
        helpers_cpp.build_blending_indices(sources, numbers, shares, len(shares), samples, False)
        found["helper"] = sources, numbers

    seconds = median_seconds({"ours": ours, "helper": helper}, rounds=3)
    order, (sources, numbers) = found["ours"], found["helper"]
    checked = np.random.default_rng(1).integers(0, samples, 10_000)
    same = np.array_equal(order.sources, sources) and all(order[int(i)] == (sources[i], numbers[i]) for i in checked)
    same = same and np.array_equal(order.totals(), np.bincount(sources, minlength=len(weights)))
    size = order.sources.nbytes + order.counts.nbytes
    return (
        {
            "order: time over megatron-core's helper": Ratio(seconds["ours"] / seconds["helper"], 1.1, "at_most"),
            "order: bytes over 1 GB": Ratio(size / 1e9, 1.0, "at_most"),
            "order: same as the helper's": Ratio(float(same), 1.0),
        },
        {
            "order: samples": samples,
            "order: our seconds": seconds["ours"],
            "order: helper's seconds": seconds["helper"],
            "order: our bytes a sample": size / samples,
            "order: helper's bytes a sample": 10,
        },
    )


def reading(folder: Path, small: bool) -> Part:
    """Opens a prepared blend, and reads shuffled samples of 8,192 tokens beside megatron-core's dataset."""
    from _megatron_blend import open_megatron

    config = DataConfig.model_validate(
        {
            "tokenizer": {"kind": "file", "path": str(folder / "tokenizer.json"), "end_of_document": END},
            "sources": {f"part{n}": {"path": str(folder / "corpus" / f"part-{n}.jsonl")} for n in range(4)},
            "blends": {"all": {"part0": 40, "part1": 30, "part2": 20, "part3": 10}},
        }
    )
    data, samples, read = folder / "data", 200_000, 64 if small else 4_000
    api.prepare(config, data, log=lambda line: None)
    path = api.lock(config, data, "all", samples * LENGTH, seed=1, samples=samples)
    api.verify(path)

    def open_ours() -> Any:
        return api.open_samples(data, RunSamples(blends=((0, "all"),), length=LENGTH, samples=samples), end_id=0)

    began = time.perf_counter()
    ours = open_ours()
    row = ours[0].item
    opened = time.perf_counter() - began
    theirs = open_megatron(api.verify(path), data, samples, LENGTH)
    places = np.random.default_rng(1).integers(0, min(len(ours), len(theirs)), read).tolist()
    seconds = median_seconds(
        {"ours": lambda: [ours[i].item.labels for i in places], "megatron-core": lambda: [theirs[i] for i in places]},
        rounds=3,
    )
    assert row.tokens.shape == theirs[0]["tokens"].shape
    tokens = IndexedFile(data / "sources" / "part0").tokens
    mapped = _seconds(lambda: order_of([40, 30, 20, 10], samples, orders_folder(data)))
    return (
        {
            "open: seconds of a prepared blend": Ratio(opened, 1.0, "at_most"),
            "read: speed over megatron-core's dataset": Ratio(seconds["megatron-core"] / seconds["ours"], goal=1.0),
        },
        {
            "read: our samples/s": read / seconds["ours"],
            "read: megatron-core's samples/s": read / seconds["megatron-core"],
            "read: tokens of the largest source": tokens,
            "order: seconds to map a written order": mapped,
        },
    )


def packing(small: bool) -> Part:
    """A million documents of log-normal length (median 1,500 tokens, sigma 1.2) into packs of 16,384."""
    measured = measure_packing(20_000 if small else 1_000_000)
    return (
        {
            "pack: seconds over 10": Ratio(measured.seconds / 10, 1.0, "at_most"),
            "pack: fill": Ratio(measured.fill, 0.98),
        },
        {"pack: documents": measured.documents, "pack: seconds": measured.seconds},
    )


def _seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
