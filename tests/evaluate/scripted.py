"""An OpenAI-compatible server whose responses are known: `prism eval --server` is answered by the seed of a sample."""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from data_prep.files import read_json, read_jsonl, write_json, write_jsonl
from data_prep.schema import TokenizerConfig
from data_prep.tokenizer import train_tokenizer
from prism.evaluate.runner import evaluate_tasks
from prism.evaluate.subject import server_subject
from prism.evaluate.task import GenerateTask
from prism.generate.sampling import sample_seed
from prism.prompts import PromptContract

MODEL = "scripted"
CONTEXT = 100_000
_SEEDS = 1 << 31
_EVALUATION = 1


@dataclass
class Script:
    """`texts`: responses by seed. `cut`: responses that end by their length. `asked`: the requests that came.

    `held` is set once requests wait; see `hold_after`.
    """

    texts: dict[int, str] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    held: threading.Event = field(default_factory=threading.Event)
    _open: threading.Event = field(default_factory=threading.Event)
    _most: float = math.inf

    def hold_after(self, requests: int) -> None:
        """Further requests wait until `go_on`."""
        self._most = requests

    def go_on(self) -> None:
        self._most = math.inf
        self._open.set()

    def wait(self) -> None:
        """Of a request that has come."""
        if len(self.asked) > self._most:
            self.held.set()
            self._open.wait()

    def give(self, responses: Sequence[Sequence[str]]) -> None:
        """The responses of each prompt's samples."""
        self.texts = {
            sample_seed(_EVALUATION, prompt, sample) % _SEEDS: text
            for prompt, samples in enumerate(responses)
            for sample, text in enumerate(samples)
        }
        assert len(self.texts) == sum(map(len, responses))
        self.asked = []


@contextmanager
def scripted_server() -> Iterator[Script]:
    """On 127.0.0.1, while the context lasts."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._send({"data": [{"id": MODEL, "max_model_len": CONTEXT}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            script.asked.append(body)
            script.wait()
            text = script.texts[body["seed"]]
            self._send({"choices": [{"text": text, "finish_reason": "length" if text in script.cut else "stop"}]})

        def _send(self, content: dict[str, Any]) -> None:
            text = json.dumps(content).encode()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it was killed
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        script.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()


def tokenizer_folder(folder: Path) -> Path:
    """A byte-level BPE tokenizer as a model's folder has it: any text comes back as it was."""
    train_tokenizer(
        TokenizerConfig(kind="byte_level_bpe", vocab_size=512),
        ["def f(x): return x + 1", "\\frac{1}{2} <think> so </think> \\boxed{3}"],
        folder / "trained.json",
    )
    PromptContract.load(folder / "trained.json").export(folder)
    write_json(folder / "config.json", {})
    return folder


@dataclass(frozen=True)
class Evaluated:
    """A task's result and samples, as they are on the disk."""

    result: dict[str, Any]
    samples: list[dict[str, Any]]

    def correct(self, sample: int = 0) -> list[bool]:
        """Whether each prompt's sample of that number is right."""
        return [line["responses"][sample]["correct"] for line in self.samples]


def evaluate(
    task: GenerateTask, rows: Sequence[dict[str, Any]], responses: Sequence[Sequence[str]], script: Script,
    tokenizer: Path, folder: Path,
) -> Evaluated:  # fmt: skip
    """`rows` asked as the task says, answered with the `responses`; as many samples a prompt as it has responses."""
    write_jsonl(folder / "rows.jsonl", rows)
    script.give(responses)
    task = task.model_copy(update={"path": str(folder / "rows.jsonl"), "samples": len(responses[0]), "limit": None})
    evaluate_tasks(server_subject(script.url, MODEL, tokenizer), [task], folder)
    return read(folder, task.name)


def read(folder: Path, task: str) -> Evaluated:
    """What an evaluation left."""
    return Evaluated(read_json(folder / f"{task}.json"), list(read_jsonl(folder / f"{task}.samples.jsonl")))
