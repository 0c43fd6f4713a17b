"""Weights broadcast over a channel, bucket by bucket: the generator is told what comes, and it comes.

| step | the generator is asked to |
|---|---|
| `join_channel` | join, once |
| `start_update` | get ready for new weights |
| `receive` (each bucket) | receive these names, types and shapes, in this order |
| `finish_update` | answer with policy N from now on |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from threading import Thread
from typing import Any, Protocol

from prism.generate.weight_sync.buckets import Bucket
from prism.generate.weight_sync.channel import Channel
from prism.generate.weight_sync.transport import Plan


class ChannelReceiver(Protocol):
    """A generator that receives weights over a channel. Calls return when the generator has done what was asked."""

    def channel_ranks(self) -> int:
        """How many ranks of a channel it takes: one a GPU."""
        ...

    def join_channel(self, invitation: dict[str, Any], rank: int) -> None:
        """Takes ranks from `rank` on."""
        ...

    def start_update(self) -> None: ...

    def receive(self, names: Sequence[str], dtypes: Sequence[str], shapes: Sequence[Sequence[int]]) -> None: ...

    def finish_update(self, version: int) -> None: ...


class BroadcastTransport:
    """Broadcasts every policy over one channel.

    Args:
        receivers: the generators as they are now; when others come or one was restarted, a new channel is opened.
        open_channel: makes the sending end for a world of so many ranks.
    """

    def __init__(
        self, receivers: Callable[[], Sequence[ChannelReceiver]], open_channel: Callable[[int], Channel]
    ) -> None:
        self._receivers, self._open = receivers, open_channel
        self._channel: Channel | None = None
        self._joined: tuple[ChannelReceiver, ...] = ()

    def begin(self, version: int, plan: Plan) -> BroadcastSending:
        receivers = tuple(self._receivers())
        if self._channel is None or receivers != self._joined:
            self.close()
            self._channel = _join(receivers, self._open)
            self._joined = receivers
        return BroadcastSending(version, receivers, self._channel, self.close)

    def close(self) -> None:
        """Leaves the channel; the next policy opens a new one."""
        channel, self._channel, self._joined = self._channel, None, ()
        if channel is not None:
            channel.close()


class BroadcastSending:
    """A policy that is being broadcast."""

    def __init__(
        self, version: int, receivers: Sequence[ChannelReceiver], channel: Channel, give_up: Callable[[], None]
    ) -> None:
        self._version, self._receivers, self._channel, self._give_up = version, receivers, channel, give_up
        self._pool = ThreadPoolExecutor(max(1, len(receivers)))
        _all([self._pool.submit(receiver.start_update) for receiver in receivers])

    def put(self, bucket: Bucket) -> None:
        names = [name for name, _ in bucket.tensors]
        dtypes = [str(tensor.dtype).removeprefix("torch.") for _, tensor in bucket.tensors]
        shapes = [list(tensor.shape) for _, tensor in bucket.tensors]
        waiting = [self._pool.submit(receiver.receive, names, dtypes, shapes) for receiver in self._receivers]
        for _, tensor in bucket.tensors:
            self._channel.broadcast(tensor.contiguous())
        _all(waiting)

    def finish(self) -> None:
        _all([self._pool.submit(receiver.finish_update, self._version) for receiver in self._receivers])
        self._pool.shutdown()

    def abandon(self) -> None:
        self._give_up()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _join(receivers: Sequence[ChannelReceiver], open_channel: Callable[[int], Channel]) -> Channel:
    sizes = [receiver.channel_ranks() for receiver in receivers]
    channel = open_channel(1 + sum(sizes))
    invitation = channel.invitation()
    with ThreadPoolExecutor(max(1, len(receivers))) as pool:
        waiting, rank = [], 1
        for receiver, size in zip(receivers, sizes, strict=True):
            waiting.append(pool.submit(receiver.join_channel, invitation, rank))
            rank += size
        own: Future[None] = Future()
        Thread(target=_into, args=(own, channel.join), daemon=True).start()  # waits for ever for one that can't come
        wait([own, *waiting], return_when=FIRST_EXCEPTION)
        _all([future for future in (*waiting, own) if future.done()])
    return channel


def _into(future: Future[None], work: Callable[[], None]) -> None:
    try:
        work()
        future.set_result(None)
    except BaseException as error:
        future.set_exception(error)


def _all(waiting: Sequence[Future[None]]) -> None:
    """Waits for all, and raises what went wrong first."""
    for future in waiting:
        future.result()
