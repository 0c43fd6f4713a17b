"""One contender of the tokenising benchmark, in a process of its own.

    python benchmarks/_tokenise.py CONTENDER CORPUS TOKENIZER OUT

Prints one JSON object: seconds from input files to output files (imports not counted), tokens, peak memory in bytes of
the process and its children together (anonymous and shared, from smaps_rollup).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from _corpus import END, read_corpus

CORES = len(os.sched_getaffinity(0))


def ours(paths: list[Path], tokenizer: Path, out: Path) -> Callable[[], int]:
    """prism: `data_prep.api.prepare` with a worker a core; files are synced to the disk and hashed."""
    from data_prep import api
    from data_prep.schema import DataConfig

    config = DataConfig.model_validate(
        {
            "tokenizer": {"kind": "file", "path": str(tokenizer), "end_of_document": END},
            "sources": {"corpus": {"path": str(paths[0].parent)}},
        }
    )
    return lambda: api.prepare(config, out, log=lambda line: None)["corpus"].tokens


def encode_batch(paths: list[Path], tokenizer: Path, out: Path) -> Callable[[], int]:
    """tokenizers alone: texts in memory, batches of 1,000, its own threads on all cores, nothing written."""
    from tokenizers import Tokenizer

    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    loaded, texts = Tokenizer.from_file(str(tokenizer)), list(read_corpus(paths))

    def run() -> int:
        tokens = 0
        for start in range(0, len(texts), 1_000):
            tokens += sum(len(item.ids) + 1 for item in loaded.encode_batch(texts[start : start + 1_000]))
        return tokens

    return run


def datatrove_threads(paths: list[Path], tokenizer: Path, out: Path) -> Callable[[], int]:
    """datatrove's Megatron tokenizer, one task, the tokenizer's threads on all cores."""
    return _datatrove(paths, tokenizer, out, tasks=1, batch=1_000, parallel="true")


def datatrove_processes(paths: list[Path], tokenizer: Path, out: Path) -> Callable[[], int]:
    """datatrove's Megatron tokenizer, a process a core."""
    return _datatrove(paths, tokenizer, out, tasks=CORES, batch=1_000, parallel="false")


def _datatrove(
    paths: list[Path], tokenizer: Path, out: Path, *, tasks: int, batch: int, parallel: str
) -> Callable[[], int]:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.tokens.megatron_tokenizer import MegatronDocumentTokenizer

    os.environ["TOKENIZERS_PARALLELISM"] = parallel
    steps = [
        JsonlReader(str(paths[0].parent)),
        MegatronDocumentTokenizer(str(out), tokenizer_name_or_path=str(tokenizer), eos_token=END, batch_size=batch),
    ]
    executor = LocalPipelineExecutor(
        steps, tasks=tasks, workers=tasks, logging_dir=str(out / "logs"), start_method="fork"
    )

    def run() -> int:
        executor.run()
        return sum(file.stat().st_size for file in out.glob("*.bin")) // 2

    return run


def one_at_a_time(paths: list[Path], tokenizer: Path, out: Path) -> Callable[[], int]:
    """As Megatron-LM's tools/preprocess_data.py does it: a pool maps lines to ids, one document at a time, through
    megatron-core's own Hugging Face tokenizer; the parent gets the ids and writes them with megatron-core's builder."""
    import numpy as np
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder
    from transformers import PreTrainedTokenizerFast

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    folder = out.with_name("hf_tokenizer")
    PreTrainedTokenizerFast(tokenizer_file=str(tokenizer), eos_token=END).save_pretrained(folder)

    def run() -> int:
        out.mkdir(parents=True, exist_ok=True)
        builder = IndexedDatasetBuilder(str(out / "corpus.bin"), dtype=np.uint16)
        tokens = 0
        with multiprocessing.Pool(CORES, initializer=_load, initargs=(str(folder),)) as pool:
            lines = (line for path in paths for line in path.open())
            for ids, lengths in pool.imap(_encode, lines, 32):
                builder.add_document(ids, lengths)
                tokens += len(ids)
        builder.finalize(str(out / "corpus.idx"))
        return tokens

    return run


def _load(folder: str) -> None:
    global loaded
    from megatron.core.tokenizers.text.libraries.huggingface_tokenizer import HuggingFaceTokenizer

    loaded = HuggingFaceTokenizer(folder, use_fast=True)


def _encode(line: str) -> tuple[list[int], list[int]]:
    ids = [*loaded.text_to_ids(json.loads(line)["text"]), loaded.eod]
    return ids, [len(ids)]


CONTENDERS = {
    contender.__name__: contender
    for contender in (ours, encode_batch, datatrove_threads, datatrove_processes, one_at_a_time)
}


class PeakMemory(threading.Thread):
    """Samples this process and its descendants."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, sum(_memory(pid) for pid in _family(os.getpid())))
            time.sleep(0.25)


def _family(pid: int) -> list[int]:
    found, left = [], [pid]
    while left:
        one = left.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                left += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def _memory(pid: int) -> int:
    """Bytes of anonymous and shared memory, shared pages by their share (Pss)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    fields = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    return 1024 * (fields.get("Pss_Anon", 0) + fields.get("Pss_Shmem", 0))


def main() -> None:
    name, corpus, tokenizer, out = sys.argv[1:]
    work = CONTENDERS[name](sorted(Path(corpus).glob("*.jsonl")), Path(tokenizer), Path(out))
    memory = PeakMemory()
    memory.start()
    began = time.perf_counter()
    tokens = work()
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "tokens": tokens, "peak_bytes": memory.peak}))


if __name__ == "__main__":
    main()
