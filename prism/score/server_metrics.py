"""Prometheus metrics of the reward server."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from prism.score.rewards import Answered, Judged

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_ITEMS = (1, 4, 16, 64, 256, 1024, 4096)


class ServerMetrics:
    """Counts of one server, in a registry of its own.

    requests, by HTTP status; their seconds, of those that were judged; their items; responses, by the kind of verifier
    and by verdict: right, wrong, malformed or cut off; requests that wait or are judged.
    """

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "prism_reward_requests", "Scoring requests, by HTTP status.", ["status"], registry=self._registry
        )
        self._seconds = Histogram(
            "prism_reward_request_seconds",
            "Seconds from a request's arrival to its rewards.",
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._items = Histogram(
            "prism_reward_request_items", "Responses of a request.", registry=self._registry, buckets=_ITEMS
        )
        self._verdicts = Counter(
            "prism_reward_verdicts", "Responses, by verifier and verdict.", ["kind", "verdict"], registry=self._registry
        )
        self.waiting = Gauge(
            "prism_reward_queue_depth", "Requests that wait or are being judged.", registry=self._registry
        )

    def answered(self, status: int) -> None:
        """A request was answered."""
        self._requests.labels(str(status)).inc()

    def judged(self, items: Sequence[Answered], results: Sequence[Judged], seconds: float) -> None:
        """A request's responses were judged."""
        self._seconds.observe(seconds)
        self._items.observe(len(items))
        for item, one in zip(items, results, strict=True):
            self._verdicts.labels(str(item.row["verifier"]["kind"]), _verdict(one)).inc()

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)


def _verdict(judged: Judged) -> str:
    if not judged.stopped:
        return "cut_off"
    if not judged.verdict.formatted:
        return "malformed"
    return "right" if judged.verdict.correct else "wrong"
