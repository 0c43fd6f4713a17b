"""Files planned once hold what torch.save would write, and blocks make a whole."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prism.formats.blocks import Blocks
from prism.formats.step_state import Damaged
from prism.formats.torch_dist_image import Block, Image, Placed, check_complete, metadata_bytes

_TYPES = (torch.float32, torch.bfloat16, torch.int64, torch.uint8)


def image_of(tensors: list[torch.Tensor], blocks: list[Block]) -> tuple[Image, bytes]:
    """The file's bytes with the tensors in it."""
    image = Image(blocks, ["layer._extra_state/shard_0_1"])
    buffer = bytearray(image.bytes)
    image.prepare(memoryview(buffer))
    for slot, tensor in zip(image.slots, tensors, strict=True):
        buffer[slot.values : slot.values + tensor.nbytes] = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
    return image, bytes(buffer)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(1, 5), max_size=3), st.sampled_from(_TYPES)), min_size=1, max_size=4))
def test_every_block_is_an_archive_that_torch_loads(kinds: list[tuple[list[int], torch.dtype]]) -> None:
    tensors = [torch.arange(math.prod(shape)).reshape(shape).to(dtype) for shape, dtype in kinds]
    blocks = [
        Block(str(number), (0,) * tensor.dim(), tuple(tensor.shape), tuple(tensor.shape), tensor.dtype)
        for number, tensor in enumerate(tensors)
    ]
    image, content = image_of(tensors, blocks)
    for slot, tensor in zip(image.slots, tensors, strict=True):
        loaded = torch.load(io.BytesIO(content[slot.at : slot.at + slot.length]), weights_only=True)
        assert loaded.dtype == tensor.dtype and torch.equal(loaded, tensor)
        assert slot.values % 64 == 0
    for _, at, length in image.objects:
        assert torch.load(io.BytesIO(content[at : at + length]), weights_only=True) == [None]


def test_any_part_is_read_across_blocks(tmp_path: Path) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    parts = {(0, 0): whole[:2, :3], (0, 3): whole[:2, 3:], (2, 0): whole[2:3], (3, 0): whole[3:]}
    blocks = [Block("w", at, tuple(part.shape), (4, 6), part.dtype) for at, part in parts.items()]
    image, content = image_of([part.contiguous() for part in parts.values()], blocks)
    (tmp_path / "file.distcp").write_bytes(content)
    (tmp_path / ".metadata").write_bytes(metadata_bytes([Placed("file.distcp", image.slots, image.objects)]))
    stored = Blocks(tmp_path)
    assert stored.shape("w") == (4, 6) and stored.shape("v") is None
    for rows, columns in (((0, 4), (0, 6)), ((1, 3), (2, 5)), ((3, 4), (5, 6))):
        target = torch.empty(rows[1] - rows[0], columns[1] - columns[0])
        stored.read_into(target, "w", (rows[0], columns[0]))
        assert torch.equal(target, whole[slice(*rows), slice(*columns)])
    with pytest.raises(Damaged, match="isn't complete"):
        stored.read_into(torch.empty(1, 2), "w", (3, 5))


def test_blocks_that_make_no_whole_are_refused() -> None:
    first, second = (Block("w", (at, 0), (2, 3), (4, 3), torch.float32) for at in (0, 2))
    check_complete([first, second])
    with pytest.raises(ValueError, match="no rank saves 6 of the values of w"):
        check_complete([first])
    with pytest.raises(ValueError, match="two ranks save the same part of w"):
        check_complete([first, first])
