"""Writing .bin/.idx: ours against megatron-core's IndexedDatasetBuilder, on the same documents.

Both get lists of token ids, as a tokenizer returns them. Ours also syncs both files to the disk and renames them;
megatron-core's does neither. The files must be the same, byte for byte.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
from _harness import Ratio, median_seconds, quick, report
from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

from data_prep.index import IndexWriter, bin_path, idx_path

VOCAB_SIZE = 50_000


def main() -> None:
    small = quick()
    documents = _documents(2_000 if small else 40_000)
    tokens = sum(map(len, documents))
    with tempfile.TemporaryDirectory() as folder:
        ours, peer = Path(folder) / "ours", Path(folder) / "peer"

        def write_ours() -> None:
            with IndexWriter(ours, VOCAB_SIZE) as writer:
                for document in documents:
                    writer.add(document)

        def write_peer() -> None:
            builder = IndexedDatasetBuilder(str(bin_path(peer)), dtype=np.uint16)
            for document in documents:
                builder.add_document(document, [len(document)])  # a list, as Megatron-LM's preprocess_data.py does
            builder.finalize(str(idx_path(peer)))

        seconds = median_seconds({"ours": write_ours, "megatron-core": write_peer}, rounds=2 if small else 7)
        same = all(path(ours).read_bytes() == path(peer).read_bytes() for path in (bin_path, idx_path))
    report(
        "index_write",
        {
            "speed over megatron-core": Ratio(seconds["megatron-core"] / seconds["ours"], goal=1.0),
            "identical files": Ratio(float(same), goal=1.0),
        },
        {
            "documents": len(documents),
            "tokens": tokens,
            "our million tokens/s": tokens / seconds["ours"] / 1e6,
            "megatron-core's million tokens/s": tokens / seconds["megatron-core"] / 1e6,
        },
    )


def _documents(count: int) -> list[list[int]]:
    """Log-normal lengths around 300 tokens, as web text has."""
    source = random.Random(1)
    lengths = [1 + int(source.lognormvariate(5.7, 0.8)) for _ in range(count)]
    return [[source.randrange(VOCAB_SIZE) for _ in range(length)] for length in lengths]


if __name__ == "__main__":
    main()
