"""The generator that a recipe asks for, made for a trainee."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from data_prep.files import write_json
from prism.generate.megatron import MegatronLanguageModel
from prism.generate.protocol import Generator
from prism.generate.vllm.asking import Patience
from prism.generate.vllm.fleet import Fleet, GivenFleet, OwnFleet
from prism.generate.vllm.generator import VllmGenerator
from prism.generate.vllm.process import Launch, vllm_arguments
from prism.generate.vllm.server import Server
from prism.generate.weight_sync.broadcast import BroadcastTransport
from prism.generate.weight_sync.channel import Channel, NcclChannel
from prism.generate.weight_sync.folder import FolderTransport, policy_folder
from prism.generate.weight_sync.gather import WeightGatherer
from prism.generate.weight_sync.transport import Transport, push
from prism.megatron.backend import backend
from prism.megatron.checkpoint.ranks import first_ranks, is_first
from prism.models.family import family_of

if TYPE_CHECKING:
    from prism.megatron.trainee import Trainee
    from prism.prompts import PromptContract
    from prism.recipe import Recipe, RlConfig
    from prism.recipe.schema.generator import VllmConfig

_MIB = 1 << 20


def build_generator(
    recipe: Recipe, config: RlConfig, contract: PromptContract, trainee: Trainee, folder: Path | None = None
) -> Generator:
    """A generator of responses from `trainee`'s weights. Collective: every rank makes one.

    Args:
        folder: the stage's; weights and logs of vLLM servers go to generator/ in it. None takes a folder of this
            process's own in the run's.
    """
    context = recipe.model.max_position_embeddings
    if config.generator.kind == "megatron":
        return MegatronLanguageModel(trainee.chunk, contract.vocab_size, context, config.generator.slots)
    vllm = config.generator.vllm
    own = recipe.run_directory / "generator" / f"{socket.gethostname()}.{os.getpid()}"
    home = Path(first_ranks(str(own if folder is None else folder / "generator")))
    fleet = build_fleet(config, vllm.context_length or context, home) if is_first() else None
    weights = TraineeWeights(recipe, vllm, contract, trainee, fleet, Path(vllm.folder) if vllm.folder else home)
    patience = Patience(
        in_flight=vllm.in_flight,
        attempts=vllm.attempts,
        request_s=vllm.request_timeout_s,
        stall_s=vllm.stall_timeout_s,
    )
    return VllmGenerator(fleet, weights, vllm.context_length or context, patience, vllm.restarts)


def build_fleet(config: RlConfig, context_length: int, home: Path) -> Fleet:
    """The recipe's servers, not started yet. Call it on the first rank: they are its host's."""
    vllm = config.generator.vllm
    if vllm.urls:
        return GivenFleet(vllm.urls, vllm.start_timeout_s)
    colocated = config.placement.mode == "colocated"
    arguments = vllm_arguments(
        tensor_parallel=vllm.tensor_parallel,
        gpu_memory_utilization=vllm.gpu_memory_utilization,
        context_length=context_length,
        dtype=vllm.dtype,
        sleeps=colocated,
        over_nccl=vllm.transport == "nccl",
    )
    return OwnFleet(
        [
            Launch(
                tuple(vllm.command),
                (*arguments, *vllm.arguments),
                _gpus(number, vllm.tensor_parallel, colocated),
                home / f"server_{number}.log",
                vllm.start_timeout_s,
            )
            for number in range(vllm.engines)
        ]
    )


def _gpus(server: int, size: int, colocated: bool) -> tuple[int, ...]:
    """GPUs of a server: the trainer's own from the first on, or those after the trainer's on this host."""
    if backend().name == "cpu":
        return ()
    before = 0 if colocated else int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return tuple(range(before + server * size, before + (server + 1) * size))


class TraineeWeights:
    """A trainee's weights on their way to vLLM servers; see `prism.generate.vllm.generator.Weights`.

    Args:
        fleet: on the first rank; None on the others.
        root: folder that trainer and servers see.
    """

    def __init__(
        self,
        recipe: Recipe,
        vllm: VllmConfig,
        contract: PromptContract,
        trainee: Trainee,
        fleet: Fleet | None,
        root: Path,
    ) -> None:
        self._vllm, self._contract, self._trainee, self._root = vllm, contract, trainee, root
        rows = recipe.vocabulary_rows(contract.vocab_size)
        end = contract.end_of_document_id
        self._config = {**family_of(recipe.model).hf_config(recipe.model, rows, end), "dtype": vllm.dtype}
        dtype: torch.dtype = getattr(torch, vllm.dtype)
        self._gatherer = WeightGatherer(trainee.chunks, recipe.model, rows, vllm.bucket_mib * _MIB, dtype)
        self._transport = self._to(fleet) if fleet is not None else None

    def first_model(self, version: int) -> Path | None:
        """A whole model, or over NCCL one without weights."""
        if self._vllm.transport == "folder":
            self._send(FolderTransport(self._root, _nobody, self._complete) if is_first() else None, version)
            return policy_folder(self._root, version) if is_first() else None
        if not is_first():
            return None
        folder = self._root / "model"
        folder.mkdir(parents=True, exist_ok=True)
        self._complete(folder)
        return folder

    def push(self, version: int) -> None:
        self._send(self._transport, version)

    def discard(self) -> None:
        FolderTransport(self._root, _nobody, self._complete).discard()
        shutil.rmtree(self._root / "model", ignore_errors=True)

    def _send(self, transport: Transport | None, version: int) -> None:
        self._trainee.optimizer.gather_weights()
        push(self._gatherer, transport, version)

    def _to(self, fleet: Fleet) -> Transport:
        if self._vllm.transport == "folder":
            return FolderTransport(self._root, lambda: fleet.servers, self._complete)
        return BroadcastTransport(lambda: fleet.servers, self._channel)

    def _channel(self, world_size: int) -> Channel:
        return NcclChannel(world_size, backend().device, self._vllm.start_timeout_s)

    def _complete(self, folder: Path) -> None:
        """What a server wants to see beside weights."""
        write_json(folder / "config.json", self._config)
        self._contract.export(folder)


def _nobody() -> Sequence[Server]:
    return ()
