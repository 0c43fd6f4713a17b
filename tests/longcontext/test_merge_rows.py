"""Rows of a torch_dist checkpoint without the block around them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from prism.formats.torch_dist import TorchDist
from prism.formats.torch_dist_rows import TorchDistRows
from prism.formats.torch_dist_writer import Piece, write_torch_dist

WHOLE = torch.randn(3, 40, 6, generator=torch.Generator().manual_seed(1)).bfloat16()
KEY = "decoder.layers.mlp.linear_fc2.weight"
LAYOUTS = {
    "whole": [(0, 3, 0, 40, 0, 6)],
    "a layer each": [(layer, layer + 1, 0, 40, 0, 6) for layer in range(3)],
    "rows and columns": [
        (layer, layer + 1, row, row + 20, column, column + 3)
        for layer in range(3)
        for row in (0, 20)
        for column in (0, 3)
    ],
}


def written(folder: Path, layout: str, *, transposed: bool) -> Path:
    pieces = []
    for a, b, c, d, e, f in LAYOUTS[layout]:
        block = WHOLE[a:b, c:d, e:f]
        stored = block.mT.contiguous().mT if transposed else block.contiguous()
        pieces.append(Piece(KEY, (a, c, e), tuple(block.shape), block.dtype, lambda stored=stored: stored))
    folder.mkdir()
    write_torch_dist(folder, pieces, {KEY: tuple(WHOLE.shape)}, [], 1)
    return folder


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_are_those_of_the_whole(layout: str, transposed: bool, tmp_path: Path) -> None:
    checkpoint = TorchDistRows(written(tmp_path / "step", layout, transposed=transposed))
    for layer in range(3):
        name = f"decoder.layers.{layer}.mlp.linear_fc2.weight"
        for first, end in ((0, 40), (5, 6), (15, 33)):
            found = torch.empty(end - first, 6, dtype=torch.bfloat16)
            checkpoint.read_into(name, first, found)
            assert torch.equal(found, WHOLE[layer, first:end])


def test_no_more_is_read_than_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of a large block isn't paid for with the block."""
    checkpoint = TorchDistRows(written(tmp_path / "step", "whole", transposed=False))
    monkeypatch.setattr(TorchDist, "read", lambda *_: pytest.fail("read as a whole"))
    asked: list[int] = []
    fill = TorchDistRows._fill
    monkeypatch.setattr(
        TorchDistRows, "_fill", lambda self, path, at, rows: (asked.append(rows.nbytes), fill(self, path, at, rows))
    )
    checkpoint.read_into("decoder.layers.1.mlp.linear_fc2.weight", 7, torch.empty(2, 6, dtype=torch.bfloat16))
    assert asked == [2 * 6 * 2]
