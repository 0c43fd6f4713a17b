"""A vLLM server's controls: health, progress, sleep, weights.

Follows vLLM 0.33. All but `/health` and `/metrics` need `VLLM_SERVER_DEV_MODE=1` at the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2

from prism.errors import ResourcesExhausted

_LOOK_S = 5.0
"""Seconds that a look at a server's health may take."""
_TOKENS = re.compile(r"^vllm:(?:generation|prompt)_tokens_total(?:\{[^}]*\})? (\S+)", re.MULTILINE)


class ServerLost(Exception):
    """A server that is dead, hung or keeps failing. `url` names it."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url}: {why}")
        self.url, self.why = url, why


class Server:
    """One server, from its start to its end: a server that was started again is another one.

    Implements `FolderReceiver` and `ChannelReceiver` of `prism.generate.weight_sync`.

    Args:
        patience_s: seconds that taking new weights, sleeping or waking may take.
    """

    def __init__(self, url: str, patience_s: float) -> None:
        self.url = url.rstrip("/")
        self.asleep = False
        self._patience_s = patience_s

    def ended(self) -> str | None:
        """Why it has ended, where that can be known; None while it runs."""
        return None

    def healthy(self) -> bool:
        """Whether it says so, promptly."""
        try:
            return httpx2.get(f"{self.url}/health", timeout=_LOOK_S, trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False

    def sleep(self) -> None:
        """Gives GPU memory back: weights and caches are dropped, so weights must be pushed after waking."""
        self._post("/sleep", {"level": "2"})
        self.asleep = True

    def wake_weights(self) -> None:
        """Takes memory for weights again, whose content is anything."""
        self._post("/wake_up", {"tags": "weights"})

    def wake_caches(self) -> None:
        """Takes memory for caches again; from then on it answers."""
        self._post("/wake_up", {"tags": "kv_cache"})
        self.asleep = False

    def load_folder(self, path: Path, version: int) -> None:
        """See `FolderReceiver`. Requests under way are aborted; what was cached under the old weights is dropped."""
        self._begin()
        self._post("/collective_rpc", body={"method": "reload_weights", "kwargs": {"weights_path": str(path)}})
        self._post("/update_weight_version", body={"new_version": str(version)})
        self._end(version)

    def channel_ranks(self) -> int:
        return int(self._get("/get_world_size")["world_size"])

    def join_channel(self, invitation: dict[str, Any], rank: int) -> None:
        self._post("/init_weight_transfer_engine", body={"init_info": {**invitation, "rank_offset": rank}})

    def start_update(self) -> None:
        self._begin()
        self._post("/start_weight_update")

    def receive(self, names: Sequence[str], dtypes: Sequence[str], shapes: Sequence[Sequence[int]]) -> None:
        info = {"names": list(names), "dtype_names": list(dtypes), "shapes": [list(shape) for shape in shapes]}
        self._post("/update_weights", body={"update_info": info})

    def finish_update(self, version: int) -> None:
        self._post("/finish_weight_update", body={"weight_version": str(version)})
        self._end(version)

    def _begin(self) -> None:
        """An awake server pauses; one that sleeps has nothing under way."""
        if not self.asleep:
            self._post("/pause", {"mode": "abort"})

    def _end(self, version: int) -> None:
        if not self.asleep:
            if self._post("/reset_prefix_cache").get("success") is not True:
                raise self._failed("/reset_prefix_cache", "caches of old weights are still in use")
            self._post("/resume")
        said = self._get("/weight_info").get("weight_version")
        if said != str(version):
            raise self._failed("/weight_info", f"policy {version} was pushed, the server says {said!r}")

    def _get(self, path: str) -> Mapping[str, Any]:
        return self._call("GET", path, None, None)

    def _post(
        self, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        return self._call("POST", path, query, body)

    def _call(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        try:
            answer = httpx2.request(
                method,
                f"{self.url}{path}",
                params=query,
                json=body,
                timeout=self._patience_s,
                trust_env=False,  # servers are inside the cluster, proxies lead out of it
            )
            if answer.status_code != 200:
                raise self._failed(path, f"HTTP {answer.status_code}: {answer.text[:300]}")
            said = answer.json() if answer.content else {}
        except (httpx2.HTTPError, ValueError) as error:
            raise self._failed(path, f"{type(error).__name__}: {error}") from None
        return said if isinstance(said, dict) else {}

    def _failed(self, path: str, why: str) -> ResourcesExhausted:
        return ResourcesExhausted(
            f"the generator's {path} failed ({why})",
            place=self.url,
            remedy="see the server's log; it needs vLLM 0.33 with VLLM_SERVER_DEV_MODE=1",
        )


def tokens_done(metrics: str) -> float | None:
    """Tokens that a server has read and drawn since it started, by its `/metrics`; None where it doesn't say."""
    found = [float(value) for value in _TOKENS.findall(metrics)]
    return sum(found) if found else None
