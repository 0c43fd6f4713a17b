"""A small server that speaks vLLM 0.33's API, with a toy model behind it, and misbehaves when told to.

    toy_server.py MODEL_FOLDER --host HOST --port PORT [options of vLLM's, which it ignores]

The toy model's next token depends on the weights (their checksums) and on the last tokens, and is drawn with the
request's seed, so the same request to the same weights always gets the same answer. It reads weights with safetensors
alone, or receives them over gloo.

`POST /toy/misbehave {"kind": ..., "times": N}` spoils the next N completions; TOY_FAULTS names a file with such an
object, which the next server that starts takes (and removes, so that the one after it is well). `/toy/weights` and
`/toy/journal` say what was loaded, and which controls were called.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import xxhash

VOCABULARY = 40
STOP = 1
CONTEXT = 64
FOREVER_S = 600.0


def sum_of(content: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(content)


class Toy:
    """The engine: weights, version, faults, counters."""

    def __init__(self, model: Path) -> None:
        self.lock = threading.RLock()
        self.weights: dict[str, str] = {}
        self.version = "default"
        self.faults: list[str] = []
        self.journal: list[str] = []
        self.tokens = 0
        self.paused = self.stalled = self.frozen = False
        self.awake = {"weights", "kv_cache"}
        self.held: list[tuple[dict[str, Any], threading.Event]] = []
        self.channel: Any = None
        self.asked = 0
        self.load(model)
        path = Path(os.environ.get("TOY_FAULTS", ""))
        if path.is_file():
            self.misbehave(json.loads(path.read_text()))
            path.unlink()

    def misbehave(self, fault: dict[str, Any]) -> None:
        self.faults += [fault["kind"]] * int(fault.get("times", 1))

    def load(self, folder: Path) -> None:
        from safetensors import safe_open

        found = {}
        for path in sorted(folder.glob("*.safetensors")):
            content = path.read_bytes()
            length = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + length])
            header.pop("__metadata__", None)
            with safe_open(path, framework="np") as file:
                assert set(file.keys()) == set(header)
            for name, described in header.items():
                first, end = (8 + length + offset for offset in described["data_offsets"])
                found[name] = sum_of(content[first:end])
        self.weights = found

    def key(self) -> int:
        return int(sum_of(json.dumps(sorted(self.weights.items())).encode())[:16], 16)

    def draw(self, body: dict[str, Any]) -> tuple[list[int], list[float]]:
        key, tokens, logprobs = self.key(), list(body["prompt"]), []
        for place in range(body["max_tokens"]):
            state = int(sum_of(repr(tokens[-3:]).encode())[:16], 16)
            logits = np.random.Generator(np.random.Philox(key=[key, state])).normal(0, 2, VOCABULARY)
            logits[STOP] += 1
            logits -= math.log(np.exp(logits).sum())
            if body["temperature"] == 0:
                token = int(logits.argmax())
            else:
                scaled = np.exp(logits / body["temperature"])
                uniform = np.random.Generator(np.random.Philox(key=[body["seed"], place])).random()
                token = int(np.searchsorted(scaled.cumsum() / scaled.sum(), uniform))
            tokens.append(token)
            logprobs.append(float(logits[token]))
            if token in body["stop_token_ids"]:
                break
        return tokens[len(body["prompt"]) :], logprobs

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        version = self.version
        tokens, logprobs = self.draw(body)
        stopped = tokens[-1] in body["stop_token_ids"]
        with self.lock:
            self.tokens += len(tokens)
        choice = {
            "index": 0,
            "text": "",
            "finish_reason": "stop" if stopped else "length",
            "stop_reason": tokens[-1] if stopped else None,
            "prompt_token_ids": body["prompt"],
            "token_ids": tokens,
            "logprobs": {
                "token_logprobs": logprobs,
                "tokens": [f"token_id:{token}" for token in tokens],
                "text_offset": [],
                "top_logprobs": [],
            },
            "weight_versions": [{"version": version, "start": 0, "end": len(tokens)}],
        }
        return {"id": f"cmpl-{body['request_id']}", "object": "text_completion", "model": "toy", "choices": [choice]}


def spoil(answer: dict[str, Any], kind: str) -> None:
    """Makes an answer wrong in one way."""
    choice = answer["choices"][0]
    scores = choice["logprobs"]
    if kind == "wrong_id":
        answer["id"] = "cmpl-somebody-else"
    elif kind == "other_prompt":
        choice["prompt_token_ids"] = [*choice["prompt_token_ids"], 7]
    elif kind == "two_choices":
        answer["choices"] = [choice, choice]
    elif kind == "no_choice":
        answer["choices"] = []
    elif kind == "short_logprobs":
        scores["token_logprobs"] = scores["token_logprobs"][:-1]
    elif kind == "long_logprobs":
        scores["token_logprobs"] = [*scores["token_logprobs"], -1.0]
    elif kind == "logprobs_of_other_tokens":
        scores["tokens"] = ["token_id:39" if name != "token_id:39" else "token_id:38" for name in scores["tokens"]]
    elif kind == "nan":
        scores["token_logprobs"][0] = float("nan")
    elif kind == "null_logprob":
        scores["token_logprobs"][0] = None
    elif kind == "positive_logprob":
        scores["token_logprobs"][0] = 0.5
    elif kind == "old_version":
        choice["weight_versions"][0]["version"] = "-1"
    elif kind == "half_old_version":
        choice["weight_versions"].insert(0, {"version": "-1", "start": 0, "end": 0})
    elif kind == "no_version":
        choice["weight_versions"] = None
    elif kind == "aborted":
        choice["finish_reason"] = "abort"
    elif kind == "goes_on_after_stop":
        choice["token_ids"] = [STOP, *choice["token_ids"]]
        scores["token_logprobs"].insert(0, -1.0)
        scores["tokens"].insert(0, f"token_id:{STOP}")
        choice["weight_versions"][0]["end"] += 1
    elif kind == "no_tokens":
        choice["token_ids"] = []
    else:
        raise ValueError(kind)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    toy: Toy

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        toy, path = self.toy, urlparse(self.path).path
        self.block_when_frozen()
        if path == "/health":
            self.say(200, {})
        elif path == "/metrics":
            self.say_bytes(200, f'vllm:generation_tokens_total{{engine="0"}} {float(toy.tokens)}\n'.encode())
        elif path == "/weight_info":
            self.say(200, {"weight_version": toy.version})
        elif path == "/get_world_size":
            self.say(200, {"world_size": 1})
        elif path == "/toy/weights":
            self.say(200, toy.weights)
        elif path == "/toy/journal":
            self.say(200, {"journal": toy.journal, "asked": toy.asked})
        else:
            self.say(404, {})

    def do_POST(self) -> None:
        toy, url = self.toy, urlparse(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(content) if content else {}
        self.block_when_frozen()
        if url.path == "/v1/completions":
            self.completions(body)
            return
        if url.path == "/toy/misbehave":
            toy.misbehave(body)
            self.say(200, {})
            return
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        with toy.lock:
            toy.journal.append(" ".join([url.path, *query.values()]))
        try:
            self.say(200, self.control(url.path, query, body) or {})
        except Exception as error:
            self.say(500, {"error": {"message": repr(error)}})

    def control(self, path: str, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any] | None:
        toy = self.toy
        if path == "/pause":
            toy.paused = True
        elif path == "/resume":
            toy.paused = False
        elif path == "/sleep":
            toy.awake, toy.weights = set(), {}
        elif path == "/wake_up":
            toy.awake.add(query["tags"])
        elif path == "/reset_prefix_cache":
            return {"success": True}
        elif path == "/collective_rpc" and body["method"] == "reload_weights":
            assert "weights" in toy.awake
            toy.load(Path(body["kwargs"]["weights_path"]))
            return {"results": [None]}
        elif path == "/update_weight_version":
            toy.version = body["new_version"]
        elif path == "/init_weight_transfer_engine":
            self.join(body["init_info"])
        elif path == "/start_weight_update":
            toy.weights = {}
        elif path == "/update_weights":
            self.receive(body["update_info"])
        elif path == "/finish_weight_update":
            toy.version = body["weight_version"]
        else:
            raise ValueError(path)
        return None

    def join(self, info: dict[str, Any]) -> None:
        from prism.generate.weight_sync.channel import GlooChannel

        self.toy.channel = GlooChannel(
            info["world_size"], info["rank_offset"], info["master_address"], info["master_port"], patience_s=20
        )
        self.toy.channel.join()

    def receive(self, info: dict[str, Any]) -> None:
        from prism.generate.weight_sync.channel import receive_tensors
        from prism.generate.weight_sync.manifest import sum_tensor

        if "die_while_receiving" in self.toy.faults:
            os._exit(3)
        for name, tensor in receive_tensors(self.toy.channel, info["names"], info["dtype_names"], info["shapes"]):
            self.toy.weights[name] = sum_tensor(tensor)

    def completions(self, body: dict[str, Any]) -> None:
        toy = self.toy
        with toy.lock:
            toy.asked += 1
            kind = toy.faults.pop(0) if toy.faults else None
        if kind == "stall":
            toy.stalled = True
        if kind == "freeze":
            toy.frozen = True
        while toy.stalled or toy.frozen or toy.paused or toy.awake != {"weights", "kv_cache"}:
            time.sleep(0.02)
        if len(body["prompt"]) + body["max_tokens"] > CONTEXT:
            self.say(400, {"error": {"message": "beyond max_model_len"}})
        elif kind == "500":
            self.say(500, {"error": {"message": "told to"}})
        elif kind == "429":
            self.say(429, {"error": {"message": "told to"}})
        elif kind == "die":
            os._exit(3)
        elif kind == "hang":
            time.sleep(FOREVER_S)
        elif kind == "close":
            self.close_connection = True
        elif kind == "garbage":
            self.say_bytes(200, b"<html>gateway</html>")
        elif kind == "truncated":
            content = json.dumps(toy.complete(body)).encode()
            self.say_bytes(200, content[: len(content) // 2])
        elif kind == "cut_off":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(json.dumps(toy.complete(body)).encode())
            self.close_connection = True
        elif kind == "swap":
            self.swap(toy.complete(body))
        else:
            answer = toy.complete(body)
            if kind is not None:
                spoil(answer, kind)
            self.say(200, answer)

    def swap(self, answer: dict[str, Any]) -> None:
        """Two requests that wait for each other get each other's answers."""
        toy, own = self.toy, threading.Event()
        with toy.lock:
            toy.held.append((answer, own))
            pair = toy.held[-2:] if len(toy.held) % 2 == 0 else None
        if pair is not None:
            (first, _), (second, _) = pair
            first_copy = dict(first)
            first.clear()
            first.update(second)
            second.clear()
            second.update(first_copy)
            for _, event in pair:
                event.set()
        own.wait(FOREVER_S)
        self.say(200, answer)

    def block_when_frozen(self) -> None:
        while self.toy.frozen:
            time.sleep(0.02)

    def say(self, code: int, value: Any) -> None:
        self.say_bytes(code, json.dumps(value).encode())

    def say_bytes(self, code: int, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Listener(ThreadingHTTPServer):
    request_queue_size = 1_024
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    known, others = parser.parse_known_args()
    print("options:", *others, flush=True)
    Handler.toy = Toy(known.model)
    Listener((known.host, known.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
