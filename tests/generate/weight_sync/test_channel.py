"""Channels: gloo between real processes; NCCL's C interface against a library that records how it is called."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from prism.errors import ResourcesExhausted
from prism.generate.weight_sync.channel import GlooChannel, NcclChannel
from prism.generate.weight_sync.manifest import sum_tensor

ROOT = Path(__file__).parents[3]
RECEIVER = """
import json, sys
from prism.generate.weight_sync.channel import GlooChannel, receive_tensors
from prism.generate.weight_sync.manifest import sum_tensor
invitation, rank, described = (json.loads(argument) for argument in sys.argv[1:])
channel = GlooChannel(invitation["world_size"], rank, invitation["master_address"], invitation["master_port"])
channel.join()
print(json.dumps({name: sum_tensor(tensor) for name, tensor in receive_tensors(channel, *described)}))
"""


def test_two_processes_receive_what_a_third_sends() -> None:
    generator = torch.Generator().manual_seed(1)
    tensors = {
        "wide": torch.randn(64, 33, generator=generator),
        "narrow": torch.randn(7, generator=generator).bfloat16(),
        "one": torch.tensor([[[2.5]]], dtype=torch.float16),
    }
    channel = GlooChannel(3)
    described = [
        list(tensors),
        [str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()],
        [list(tensor.shape) for tensor in tensors.values()],
    ]
    receivers = [
        subprocess.Popen(
            [sys.executable, "-c", RECEIVER, json.dumps(channel.invitation()), str(rank), json.dumps(described)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (1, 2)
    ]
    channel.join()
    for tensor in tensors.values():
        channel.broadcast(tensor)
    for receiver in receivers:
        found = json.loads(receiver.communicate(timeout=120)[0])
        assert found == {name: sum_tensor(tensor) for name, tensor in tensors.items()}
    channel.close()


def test_a_receiver_that_never_comes_is_noticed() -> None:
    with pytest.raises(ResourcesExhausted, match="the channel to the generator broke"):
        channel = GlooChannel(2, patience_s=0.5)
        channel.join()
        channel.broadcast(torch.ones(3))


@pytest.fixture
def fake_nccl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library with NCCL's interface; the folder has what it recorded in `log`."""
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler")
    source = Path(__file__).with_name("fake_nccl.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "nccl.so", source], check=True)
    monkeypatch.setenv("FAKE_NCCL_LOG", str(tmp_path / "log"))
    return tmp_path


def test_nccl_is_called_as_its_interface_wants(fake_nccl: Path) -> None:
    channel = NcclChannel(5, torch.device("cpu"), patience_s=1, library=str(fake_nccl / "nccl.so"))
    invitation = channel.invitation()
    assert base64.b64decode(invitation["nccl_unique_id_b64"]) == bytes(range(128))
    assert invitation["world_size"] == 5 and invitation["packed"] is False
    channel.join()
    channel.broadcast(torch.tensor([1.0, -2.0]))
    channel.broadcast(torch.tensor([[1.0]], dtype=torch.bfloat16))
    channel.close()
    assert (fake_nccl / "log").read_text().splitlines() == [
        "init 5 0 same id",
        "all_reduce 1 7 0 1 (nil)",
        "broadcast 2 7 0 1 0000803f000000c0",
        "broadcast 1 9 0 1 803f",
        "abort 1",
    ]


def test_an_error_of_nccl_s_names_the_call(fake_nccl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NCCL_FAIL", "1")
    channel = NcclChannel(2, torch.device("cpu"), patience_s=1, library=str(fake_nccl / "nccl.so"))
    channel.join()
    with pytest.raises(ResourcesExhausted, match="ncclBroadcast failed with code 3"):
        channel.broadcast(torch.ones(1))


def test_without_nccl_the_error_names_the_other_transport() -> None:
    with pytest.raises(ResourcesExhausted, match=r"NCCL can't be loaded.*set it to folder"):
        NcclChannel(2, torch.device("cpu"), patience_s=1, library="libnothing.so")
