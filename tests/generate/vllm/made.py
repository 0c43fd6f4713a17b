"""A generator of toy servers with made-up weights, and what its model must answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx2
import torch
from torch import Tensor

from data_prep.files import write_json
from prism.formats.hf_folder import Described
from prism.generate.protocol import Request, Response, Sampling
from prism.generate.vllm.asking import Patience
from prism.generate.vllm.fleet import Fleet, OwnFleet
from prism.generate.vllm.generator import VllmGenerator
from prism.generate.vllm.process import Launch
from prism.generate.weight_sync.buckets import Bucket, in_buckets
from prism.generate.weight_sync.folder import FolderTransport, policy_folder
from prism.generate.weight_sync.transport import Transport, push
from tests.generate.vllm.toy_server import CONTEXT, STOP, Toy

SERVER = (sys.executable, str(Path(__file__).with_name("toy_server.py")))
QUICK = Patience(in_flight=64, request_s=5.0, stall_s=1.0, look_every_s=0.1, look_s=1.0, failed_looks=2, backoff_s=0.01)
SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_new_tokens=12, stop_ids=(STOP,))


class MadeGatherer:
    """Stands for a trainer's weights: three tensors filled with `value`."""

    def __init__(self) -> None:
        self.value = 0.0

    def tensors(self) -> list[tuple[str, Tensor]]:
        shapes = {"model.a.weight": (4, 3), "model.b.weight": (2, 5), "model.norm.weight": (3,)}
        return [(name, torch.full(shape, self.value)) for name, shape in shapes.items()]

    @property
    def plan(self) -> list[list[Described]]:
        items = [Described(name, tuple(tensor.shape), tensor.dtype) for name, tensor in self.tensors()]
        return in_buckets(items, lambda item: item.bytes, 64)

    def buckets(self) -> Iterator[Bucket]:
        left = self.tensors()
        for number, planned in enumerate(self.plan):
            yield Bucket(number, tuple(left[: len(planned)]))
            left = left[len(planned) :]


class MadeWeights:
    """Pushes a `MadeGatherer`'s weights, by default through a folder."""

    def __init__(self, root: Path, fleet: Fleet, transport: Transport | None = None) -> None:
        self.gatherer = MadeGatherer()
        self._root = root
        self._transport = transport or self._folder(fleet)
        self._first = self._folder(None)

    def _folder(self, fleet: Fleet | None) -> FolderTransport:
        return FolderTransport(self._root, lambda: fleet.servers if fleet else [], describe)

    def first_model(self, version: int) -> Path:
        push(self.gatherer, self._first, version)  # type: ignore[arg-type]
        return policy_folder(self._root, version)

    def discard(self) -> None:
        self._first.discard()

    def push(self, version: int) -> None:
        push(self.gatherer, self._transport, version)  # type: ignore[arg-type]


def describe(folder: Path) -> None:
    write_json(folder / "config.json", {"model_type": "toy"})


def launch(folder: Path, name: str = "0", command: tuple[str, ...] = SERVER, start_s: float = 30.0) -> Launch:
    return Launch(command, ("--logprobs-mode", "raw_logprobs"), (), folder / f"server_{name}.log", start_s)


def own_generator(
    folder: Path, servers: int = 1, patience: Patience = QUICK, restarts: int = 2
) -> tuple[VllmGenerator, OwnFleet, MadeWeights]:
    fleet = OwnFleet([launch(folder, str(number)) for number in range(servers)])
    weights = MadeWeights(folder / "weights", fleet)
    return VllmGenerator(fleet, weights, CONTEXT, patience, restarts), fleet, weights


def requests(count: int) -> list[Request]:
    """Prompts of different lengths, each four times in a row with seeds of their own, some with fewer tokens."""
    return [
        Request(
            prompt=tuple(2 + (index // 4 * 7 + place) % 30 for place in range(1 + index // 4 % 9)),
            seed=2**64 - 1 - index * 1_000_003,
            max_new_tokens=5 if index % 7 == 0 else None,
        )
        for index in range(count)
    ]


def expected(model: Path, asked: Sequence[Request], version: int, sampling: Sampling = SAMPLING) -> list[Response]:
    """What the toy model with the weights at `model` answers, worked out in this process."""
    toy = Toy(model)
    responses = []
    for request in asked:
        room = min(sampling.max_new_tokens, request.max_new_tokens or CONTEXT, CONTEXT - len(request.prompt))
        tokens, logprobs = toy.draw(
            {
                "prompt": list(request.prompt),
                "max_tokens": room,
                "temperature": sampling.temperature,
                "seed": request.seed % 2**63,
                "stop_token_ids": list(sampling.stop_ids),
            }
        )
        stopped = tokens[-1] in sampling.stop_ids
        responses.append(Response(tuple(tokens), tuple(min(0.0, one) for one in logprobs), stopped, version))
    return responses


def misbehave(url: str, kind: str, times: int = 1) -> None:
    httpx2.post(f"{url}/toy/misbehave", json={"kind": kind, "times": times}).raise_for_status()


def journal(url: str) -> list[str]:
    found: list[str] = httpx2.get(f"{url}/toy/journal").json()["journal"]
    return found


def loaded(url: str) -> dict[str, str]:
    """Checksums of the weights that a server holds."""
    found: dict[str, str] = httpx2.get(f"{url}/toy/weights").json()
    return found


def manifest_sums(folder: Path) -> dict[str, str]:
    value = json.loads((folder / "weights_manifest.json").read_text())
    return {row["name"]: row["xxh3"] for row in value["tensors"]}
