"""Writes a mixture as a torch_dist checkpoint under the keys of the trained one, without optimizer: a step 0."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from data_prep.files import write_bytes
from prism.formats.files import step_name
from prism.formats.step_state import FILE_NAME, seal
from prism.formats.torch_dist_rows import Kept, TorchDistRows
from prism.formats.torch_dist_writer import Piece, write_torch_dist
from prism.formats.weights import unit_rows
from prism.formats.whole_folder import carry
from prism.longcontext.mix import Mixture, block_rows


def write_megatron(
    target: Path,
    mixture: Mixture,
    trained: TorchDistRows,
    names: Collection[str],
    state: Mapping[str, Any],
    describe: Callable[[Path], None],
    workers: int,
    progress: Callable[[int], None],
) -> Path:
    """Fills `target` with a checkpoint folder and returns it: `step_00000000`, or `iter_0000000` for Megatron-LM's.

    Args:
        state: remembered beside the weights.
        describe: writes further files into the folder.
    """
    ours = (trained.path / FILE_NAME).is_file()
    folder = target / (step_name(0) if ours else "iter_0000000")
    folder.mkdir()
    kept = [one for one in trained.kept() if one.name in names]
    keys = {one.key for one in kept}
    shapes = {key: shape for key, shape in trained.stored_shapes().items() if key in keys}
    pieces = [piece for one in kept for piece in _pieces(one, mixture, trained, progress)]
    write_torch_dist(folder, pieces, shapes, trained.extra_states(), workers)
    torch.save({} if ours else {"checkpoint_version": 3.0, "iteration": 0}, folder / "common.pt")
    if (trained.path / "hf").is_dir():
        carry(trained.path / "hf", folder / "hf")
    describe(folder)
    if ours:
        seal(folder, 0, state)
    else:
        write_bytes(target / "latest_checkpointed_iteration.txt", b"0")
    return folder


def _pieces(kept: Kept, mixture: Mixture, trained: TorchDistRows, progress: Callable[[int], None]) -> Iterator[Piece]:
    tail, dtype = trained.shape(kept.name)[1:], trained.dtype(kept.name)
    step = block_rows((0, *tail), dtype)
    for first in range(kept.first, kept.end, step):
        end = min(kept.end, first + step)
        stack = () if kept.layer is None else (kept.layer,)
        shape = (*(1 for _ in stack), end - first, *tail)
        offsets = (*stack, first - kept.first, *(0 for _ in tail))
        yield Piece(kept.key, offsets, shape, dtype, partial(_read, kept.name, first, shape, mixture, dtype, progress))


def _read(
    name: str,
    first: int,
    shape: tuple[int, ...],
    mixture: Mixture,
    dtype: torch.dtype,
    progress: Callable[[int], None],
) -> torch.Tensor:
    piece = torch.empty(shape, dtype=dtype)
    rows = piece.view(-1, *mixture.trained.shape(name)[1:])
    step = unit_rows(tuple(rows.shape), dtype)
    for start in range(0, len(rows), step):
        mixture.read_into(name, first + start, rows[start : start + step])
    progress(piece.nbytes)
    return piece
