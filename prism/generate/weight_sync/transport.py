"""What carries a policy's weights, seen from the trainer: begun, given bucket after bucket, finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from data_prep.errors import UserError
from prism.errors import ResourcesExhausted
from prism.formats.hf_folder import Described
from prism.generate.weight_sync.buckets import Bucket
from prism.megatron.checkpoint.ranks import first_ranks, is_first

if TYPE_CHECKING:
    from prism.generate.weight_sync.gather import WeightGatherer

Value = TypeVar("Value")
Plan = Sequence[Sequence[Described]]
"""The tensors of every bucket."""


class NotSent(ResourcesExhausted):
    """A policy that didn't reach every generator."""


class Sending(Protocol):
    """A policy on its way to generators."""

    def put(self, bucket: Bucket) -> None:
        """Sends a bucket; its tensors are free when this returns."""
        ...

    def finish(self) -> None:
        """Returns when every generator has the whole policy and answers with it."""
        ...

    def abandon(self) -> None:
        """Gives up; nothing of it stays behind."""
        ...


class Transport(Protocol):
    """A way to the generators. Lives on the first rank."""

    def begin(self, version: int, plan: Plan) -> Sending: ...


def push(gatherer: WeightGatherer, transport: Transport | None, version: int) -> None:
    """Sends the weights that the ranks hold now as policy `version`. Collective; raises on all ranks alike.

    Args:
        transport: on the first rank; the others only help to gather.

    Raises:
        NotSent: what went wrong on the way, on every rank.
    """
    failed: str | None = None
    sending: Sending | None = None
    if is_first():
        assert transport is not None
        plan = gatherer.plan
        sending, failed = _attempt(lambda: transport.begin(version, plan))
    for bucket in gatherer.buckets():  # to the end, whatever happens: the other ranks send all of them
        if sending is not None and failed is None:
            failed = _put(sending, bucket)
    if sending is not None:
        if failed is None:
            _, failed = _attempt(sending.finish)
        if failed is not None:
            _attempt(sending.abandon)
    failed = first_ranks(failed)
    if failed is not None:
        raise NotSent(
            f"policy {version} didn't reach the generator: {failed}",
            place="weight synchronisation",
            remedy="see the generator's log, and whether the disk or its memory is full",
        )


def _put(sending: Sending, bucket: Bucket) -> str | None:
    return _attempt(lambda: sending.put(bucket))[1]


def _attempt(work: Callable[[], Value]) -> tuple[Value | None, str | None]:
    """What `work` gives, and what went wrong."""
    try:
        return work(), None
    except UserError as error:
        return None, f"{error.message} ({error.place})" if error.place else error.message
    except OSError as error:
        return None, f"{type(error).__name__}: {error}"
