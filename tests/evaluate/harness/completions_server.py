"""A small OpenAI-compatible server of a Hugging Face model, with what vLLM gives: echo, log-probabilities, token ids.

completions_server.py FOLDER CONTEXT [no-echo]    prints its port; every tenth request is answered with 503
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch
import transformers

FOLDER, CONTEXT = sys.argv[1], int(sys.argv[2])
MODEL = transformers.AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
TOKENIZER = transformers.AutoTokenizer.from_pretrained(FOLDER)
LOCK = threading.Lock()
NUMBER = itertools.count(1)


def echo(prompt: list[int]) -> dict[str, Any]:
    """The prompt's log-probabilities and those of one more token."""
    logprobs = MODEL(torch.tensor([prompt])).logits[0].log_softmax(-1)
    tokens = [*prompt[1:], int(logprobs[-1].argmax())]
    best = logprobs.max(-1)
    return {
        "token_logprobs": [None, *(float(row[token]) for row, token in zip(logprobs, tokens, strict=True))],
        "top_logprobs": [
            None,
            *({TOKENIZER.decode(int(token)): float(value)} for value, token in zip(*best, strict=True)),
        ],
    }


def complete(body: dict[str, Any]) -> dict[str, Any]:
    tokens: list[int] = []
    for _ in range(body["max_tokens"]):
        logits = MODEL(torch.tensor([body["prompt"] + tokens])).logits[0, -1]
        if body["temperature"] == 0:
            tokens.append(int(logits.argmax()))
        else:
            generator = torch.Generator().manual_seed(body["seed"] + len(tokens))
            tokens.append(int(torch.multinomial((logits / body["temperature"]).softmax(-1), 1, generator=generator)))
        text = TOKENIZER.decode(tokens, skip_special_tokens=True)
        ends = [text.index(stop) for stop in body.get("stop", []) if stop in text]
        if ends or tokens[-1] == TOKENIZER.eos_token_id:
            return {"text": text[: min(ends)] if ends else text, "finish_reason": "stop"}
    return {"text": TOKENIZER.decode(tokens, skip_special_tokens=True), "finish_reason": "length"}


def answer(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if len(body["prompt"]) + body["max_tokens"] > CONTEXT:
        return 400, {"error": {"message": f"{len(body['prompt'])} + {body['max_tokens']} tokens are too many"}}
    if next(NUMBER) % 10 == 0:
        return 503, {"error": {"message": "busy"}}
    with LOCK, torch.inference_mode():
        if body.get("echo") and body["model"] != "mute":
            return 200, {"choices": [{"text": "", "finish_reason": "length", "logprobs": echo(body["prompt"])}]}
        return 200, {"choices": [complete(body)]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": name, "max_model_len": CONTEXT} for name in ("tiny", "mute")]})

    def do_POST(self) -> None:
        self._send(*answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

    def _send(self, code: int, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments: Any) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
