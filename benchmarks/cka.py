"""`prism analyze cka` on two models of the miniature's size, 200 inputs in each of three sets: time, and exactness.

The peer is what one would write down (`_plain_cka.py`): transformers with `output_hidden_states`, a text at a time as
in the paper, then CKA of features in numpy, layer by layer, over all pairs of layers and 20 bootstrap draws. Ours does
the same and the debiased estimates. Both are timed within a process, from loading the weights on, and ours as a whole
process too. The last layer isn't compared: transformers gives it behind the final norm.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from _checkpoint import CONFIG, ROOT, seconds
from _harness import Ratio, quick, report
from safetensors.torch import save_file

from prism.analyze.hidden import input_texts
from prism.analyze.models import Compared, compare_models
from prism.evaluate.named import named_model
from prism.megatron.parallel import Layout
from prism.models.family import family_of, identify

_GOAL_S = 20.0
_WORDS = 512
_SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 336,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 128,
    "rope_theta": 10000.0,
    "vocab_size": _WORDS,
    "torch_dtype": "float32",
}
_LONGEST = 60


def main() -> None:
    small = quick()
    count, rounds = (20, 1) if small else (200, 3)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        models = [_model(root / name, seed) for name, seed in (("before", 1), ("after", 2))]
        sets = [_texts(root / f"{name}.jsonl", count, seed) for seed, name in enumerate(("one", "two", "three"))]
        peer, ours, whole = [], [], []
        for _ in range(rounds):
            found = _plain(models, sets)
            peer.append(found["seconds"])
            began = time.perf_counter()
            done = _ours(models, sets, root / "kept", count)
            ours.append(time.perf_counter() - began)
            whole.append(_command(models, sets, root))
        again = time.perf_counter()
        _ours(models, sets, root / "kept", count, fresh=False)
        again = time.perf_counter() - again
    difference = _difference(found, done)
    plain, own, process = (statistics.median(values) for values in (peer, ours, whole))
    report(
        "cka",
        {
            "speed over transformers and numpy": Ratio(plain / own, 2.0),
            "whole process's share of 20 s": Ratio(process / _GOAL_S, 1.0, "at_most"),
            "largest difference from the peer": Ratio(difference, 1e-4, "at_most"),
        },
        {
            "largest difference from the peer, exactly": difference,
            "inputs a set": count,
            "sets": len(sets),
            "seconds": own,
            "all seconds": [round(value, 3) for value in ours],
            "seconds of a whole process": process,
            "seconds with states kept": again,
            "seconds of transformers and numpy": plain,
            "all seconds of transformers and numpy": [round(value, 3) for value in peer],
        },
    )


def _model(folder: Path, seed: int) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, **_SHAPE}))
    words = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"w{number}": number for number in range(3, _WORDS)}
    end = {"id": 2, "content": "</s>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [{**end, "special": True}],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "<unk>"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    model = identify(folder)
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for weight in family_of(model).weight_map(model, _WORDS):
        for part in weight.parts:
            matrix = len(part.shape) > 1
            draw = torch.randn(part.shape, generator=generator)
            tensors[part.name] = draw * part.shape[-1] ** -0.5 if matrix else 1 + 0.1 * draw
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _texts(path: Path, count: int, seed: int) -> Path:
    draw = random.Random(seed)
    rows = [[f"w{draw.randrange(3, _WORDS)}" for _ in range(draw.randint(8, _LONGEST))] for _ in range(count)]
    path.write_text("".join(json.dumps({"text": " ".join(words)}) + "\n" for words in rows))
    return path


def _plain(models: list[Path], sets: list[Path]) -> Any:
    command = [sys.executable, str(Path(__file__).with_name("_plain_cka.py")), *map(str, [*models, *sets])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _ours(models: list[Path], sets: list[Path], kept: Path, count: int, *, fresh: bool = True) -> Compared:
    if fresh:
        shutil.rmtree(kept, ignore_errors=True)
    texts = {path.stem: input_texts(path, count) for path in sets}
    named = [named_model(str(model), layout=Layout()) for model in models]
    return compare_models(named, [model.name for model in models], texts, kept, 20, 1)


def _command(models: list[Path], sets: list[Path], root: Path) -> float:
    shutil.rmtree(root / "states", ignore_errors=True)
    inputs = [part for path in sets for part in ("--inputs", f"{path.stem}={path}")]
    command = [sys.executable, "-m", "prism.cli", "analyze", "cka", *map(str, models), *inputs]
    os.environ["PYTHONPATH"] = str(ROOT)
    return seconds([*command, "--out", str(root / "states"), "--json", str(root / "cka.json")])


def _difference(plain: Any, done: Compared) -> float:
    worst = 0.0
    for inputs in done.comparisons[0]["inputs"]:
        theirs = plain["layers"][inputs["name"]][:-1]
        worst = max(worst, *(abs(row["cka"] - value) for row, value in zip(inputs["layers"], theirs, strict=False)))
    return worst


if __name__ == "__main__":
    main()
