"""Writes run directories with made-up figures, in the format that the stages write."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from data_prep.files import write_json, write_jsonl, write_text
from prism.recipe import load_recipe

DOMAINS = ("math", "code", "science")
RATES: dict[str, tuple[float, float, float]] = {
    "base": (0.0, 0.0, 0.0),
    "mid": (0.293, 0.312, 0.602),
    "mid_math_code": (0.610, 0.808, 0.0),
    "mid_math": (0.635, 0.072, 0.0),
    "mid_no_general": (0.331, 0.362, 0.671),
    "rl": (0.408, 0.510, 0.880),
    "rl_from_base": (0.0, 0.0, 0.0),
    "rl_from_math_code": (0.930, 0.945, 0.0),
    "rl_on_math_code": (0.440, 0.538, 0.627),
    "rl_on_math": (0.488, 0.347, 0.612),
}
"""Pass rates by stage: math, code, science (fractions)."""

FACTS = {"mid_no_general": 0.398, "base": 0.988}
GREEDY_GAIN = {"mid": 0.225, "mid_math_code": 0.15, "mid_math": 0.1, "mid_no_general": 0.2, "rl": 0.05}


def write_recipe(run: Path, recipe: Mapping[str, Any]) -> None:
    write_text(run / "recipe.yaml", yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True))


def write_generation(
    run: Path, stage: str, domain: str, sampled: float, greedy: float | None = None, skipped: int = 0
) -> None:
    """evaluate/miniature_<domain>.json with two samples a prompt."""
    metrics = {"pass_rate": _estimate(sampled), "format_rate": _estimate(min(1.0, sampled + 0.3))}
    metrics["response_length"] = {"value": 21.0 + 9 * sampled, "low": 20.0, "high": 31.0}
    if greedy is not None:
        metrics["pass_rate_greedy"] = _estimate(greedy)
    _write_task(run, stage, f"miniature_{domain}", "generate", domain, metrics, skipped)


def write_choice(run: Path, stage: str, accuracy: float, task: str = "miniature_facts") -> None:
    _write_task(run, stage, task, "choice", "general", {"accuracy": _estimate(accuracy, 480)})


def write_benchmark(
    run: Path, stage: str, task: str, domain: str, rate: float, settings: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """evaluate/<task>.json of a task that is sampled."""
    _write_task(run, stage, task, "generate", domain, {"pass_rate": _estimate(rate)}, settings=settings)


def write_bits(run: Path, stage: str, bits: float, task: str, domain: str) -> None:
    metrics = {"bits_per_byte": {"value": bits, "low": bits * 0.99, "high": bits * 1.01}}
    _write_task(run, stage, task, "bits_per_byte", domain, metrics)


def write_ruler(run: Path, stage: str, task: str, length: int, score: float) -> None:
    metrics = {"score": _estimate(score, 200)}
    _write_task(run, stage, f"{task}@{length}", "ruler", "long_context", metrics, settings={"length": length})


def write_weights(
    run: Path,
    before: str,
    after: str,
    total: float,
    unchanged: float,
    sub: Mapping[str, float] | None = None,
    dtype: str = "float32",
) -> None:
    """`total` is relative L2; `unchanged` percent at 1%; `sub` relative L2 by sub-component."""
    parts = {"attention.q": total} if sub is None else dict(sub)
    components: dict[str, float] = {}
    for name, value in parts.items():
        components.setdefault(name.partition(".")[0], value)
    tensors = [
        {
            "name": f"model.layers.{layer}.{name}.weight",
            "component": name.partition(".")[0],
            "sub_component": name,
            "layer": layer,
            "elements": 16_384,
            "relative_l2": value * (0.9 + 0.07 * layer),
            "unchanged_percent": _thresholds(unchanged * (1.1 - 0.05 * layer)),
        }
        for name, value in parts.items()
        if "." in name
        for layer in range(4)
    ]

    def groups(more: float) -> dict[str, Any]:
        kept = min(100.0, unchanged + more)
        return {
            "total": _change(total, kept),
            "by_component": {name: _change(value, kept) for name, value in components.items()},
            "by_sub_component": {
                name: _change(value, kept * (0.7 + 0.05 * index)) for index, (name, value) in enumerate(parts.items())
            },
            "by_layer": {str(layer): _change(total * (0.9 + 0.07 * layer), kept) for layer in range(4)},
        }

    write_json(
        run / f"analysis/weights/{before}__{after}.json",
        {
            "schema_version": 1,
            "before": before,
            "after": after,
            "dtype": dtype,
            **groups(0),
            "in_bf16": groups(5) if dtype == "float32" else None,
            "tensors": tensors,
        },
    )


def write_relation(run: Path, first: tuple[str, str], second: tuple[str, str], cosine: float) -> None:
    """analysis/relations/..., with the footprint of two trainings."""

    def direction(cosine: float) -> dict[str, Any]:
        overlap = {"changed_first": 90, "changed_second": 80, "changed_both": 75, "jaccard": 0.79, "lift": 1.04}
        return {"cosine": cosine, "elements": 100, "overlap": {"0": overlap, "1": {**overlap, "jaccard": 0.6}}}

    alike = {"pearson": 0.96, "spearman": 0.66, "count": 30}
    relation = {
        "first": list(first),
        "second": list(second),
        "thresholds_percent": [0.0, 1.0],
        "total": direction(cosine),
        "by_component": {"attention": direction(cosine / 2), "mlp": direction(2 * cosine)},
    }
    footprint = {"l2_by_matrix": alike, "l2_by_sub_component": alike, "changed_by_matrix": alike}
    name = f"{'__'.join(first)}.{'__'.join(second)}.json"
    write_json(
        run / "analysis/relations" / name, {"schema_version": 1, "relations": [relation], "footprint": footprint}
    )


def write_series(run: Path, stage: str, steps: Sequence[int]) -> None:
    """analysis/trajectory/<stage>.json, as `prism analyze trajectory` writes it of kept steps in bf16."""
    points = [
        {
            "name": f"step_{step}",
            "step": step,
            "key": "0",
            "content": "0",
            "figures": {
                "after": f"step_{step}",
                "dtype": "bfloat16",
                "total": _change(1e-4 * step**0.5, 100 - step / 10),
                "by_component": {},
                "in_bf16": None,
            },
        }
        for step in steps
    ]
    content = {"schema_version": 1, "start": "step_0", "thresholds_percent": [0.1, 1], "points": points}
    write_json(run / f"analysis/trajectory/{stage}.json", content)


def write_harness(run: Path, stage: str, task: str, metrics: Mapping[str, float]) -> None:
    """evaluate/<task>.json of a task of lm-evaluation-harness; its first metric is the main one."""
    shares = {name: _estimate(value) for name, value in metrics.items() if value <= 1}
    others = {name: {"value": value, "low": 0.9 * value, "high": 1.1 * value} for name, value in metrics.items()}
    found = {name: {**others[name], **shares.get(name, {}), "stderr": 0.01} for name in metrics}
    _write_task(run, stage, task, "harness", "general", found, settings={"num_fewshot": 5, "limit": None})


def write_cka(run: Path, before: str, after: str, minimum: float, inputs: Sequence[str] = ("math",)) -> None:
    """CKA that falls from 1 at the first layer to `minimum` at the last."""
    layers = [1 - (1 - minimum) * (layer / 3) ** 1.5 for layer in range(4)]
    rows = [
        {"layer": layer, "cka": cka, "low": cka - 0.2 * (1 - cka), "high": cka + 0.1 * (1 - cka)}
        for layer, cka in enumerate(layers)
    ]
    matrix = [
        [layers[row] if row == column else 0.9 / (1 + abs(row - column)) for column in range(4)] for row in range(4)
    ]
    write_json(
        run / f"analysis/cka/{before}__{after}.json",
        {
            "schema_version": 1,
            "before": before,
            "after": after,
            "inputs": [{"name": name, "layers": rows, "matrix": matrix} for name in inputs],
            "minimum": minimum,
        },
    )


def write_training(run: Path, stage: str, sources: Sequence[str], steps: int, start: float, end: float) -> None:
    noise = random.Random(f"{stage}/training")
    rows = []
    for step in range(1, steps + 1):
        loss = end + (start - end) * math.exp(-6 * step / steps)
        rows.append(
            {
                "step": step,
                "tokens": step * 1_024,
                "loss": loss + noise.gauss(0, 0.06),
                "loss_by_source": {
                    source: loss * (0.75 + 0.12 * index) + noise.gauss(0, 0.1) for index, source in enumerate(sources)
                },
                "grad_norm": 0.4 + 2 * math.exp(-8 * step / steps) + abs(noise.gauss(0, 0.06)),
                "learning_rate": 2e-3 * min(1, 20 * step / steps) * (0.65 + 0.35 * math.cos(math.pi * step / steps)),
                "timing": {"seconds": 0.05, "tokens_per_second": 19_500 + noise.gauss(0, 700), "mfu": None},
            }
        )
    write_jsonl(run / f"stages/{stage}/metrics.jsonl", rows)


def write_rl(run: Path, stage: str, start: Mapping[str, float], end: Mapping[str, float], steps: int = 30) -> None:
    noise = random.Random(f"{stage}/rl")
    rows = []
    for step in range(1, steps + 1):
        way = 1 - math.exp(-3 * step / steps)
        rates = {
            domain: max(0.0, start[domain] + (goal - start[domain]) * way + noise.gauss(0, 0.03) * (goal > 0))
            for domain, goal in end.items()
        }
        mean = sum(rates.values()) / len(rates)
        rows.append(
            {
                "step": step,
                "reward": mean - 0.05 * (1 - way),
                "reward_by_domain": rates,
                "pass_rate": mean,
                "pass_rate_by_domain": rates,
                "format_rate": min(1.0, 0.6 + 0.4 * way) if mean else 0.0,
                "stop_rate": min(1.0, 0.7 + 0.3 * way),
                "response_length": 24 + 3 * way + noise.gauss(0, 0.4),
                "kl": 0.02 * way + abs(noise.gauss(0, 0.002)),
                "loss": noise.gauss(0, 0.02),
                "grad_norm": 0.3 + abs(noise.gauss(0, 0.05)),
                "learning_rate": 3e-4 * min(1, step / 3),
                "live_groups": 0.9 - 0.3 * way,
                "mismatch": 1e-6 * (1 + noise.random()),
                "entropy": 0.5 - 0.3 * way,
                "clip_share": 0.0,
                "truncated_share": 0.001,
                "reward_by_term": {"correct": mean, "missing_stop": -0.05 * (1 - way)},
                "pass_rate_by_difficulty": {"0/16": 0.1 * way, "1/16": 0.3 * way},
                "hard_prompts": {
                    name: {f"p{(step + place) % 30}": [round(16 * rate * way), 16] for place in range(4)}
                    for name, rate in (("0/16", 0.1), ("1/16", 0.3))
                },
                "solve_rates": {"none": 0.4 - 0.3 * way, "all": 0.3 * way},
                "timing": {"seconds": 0.9, "rollout_seconds": 0.5, "train_seconds": 0.4},
            }
        )
    write_jsonl(run / f"stages/{stage}/metrics.jsonl", rows)


def write_landscape(run: Path, points: int = 5, complete: bool = True) -> None:
    values = [number / (points - 1) for number in range(points)]
    path = [*((value, 0.0) for value in values), *((1.0, value) for value in values[1:])]
    places = list(dict.fromkeys([*path, *((alpha, beta) for alpha in values for beta in values)]))
    rows = [
        {
            "alpha": alpha,
            "beta": beta,
            "on_path": (alpha, beta) in path,
            **_estimate(0.3 * alpha**2 + 0.12 * alpha * beta),
        }
        for alpha, beta in places
    ]
    write_json(
        run / "analysis/landscape.json",
        {
            "schema_version": 1,
            "chain": ["base", "mid", "rl"],
            "task": "miniature_math",
            "version": 1,
            "kind": "generate",
            "settings": {"samples": 2},
            "metric": "pass_rate",
            "values": values,
            "plane": True,
            "complete": complete,
            "points": rows if complete else rows[: len(path) - 2],
        },
    )


def write_samples(run: Path, stage: str, domain: str, rate: float, prompts: int = 5) -> None:
    noise = random.Random(f"{stage}/{domain}/samples")
    rows = []
    for number in range(prompts):
        first, second = noise.randrange(5), noise.randrange(5)
        prompt = f"Q calc {number} ; s1 + {number % 4} ; s2 * 3 ?" if domain == "math" else f"Q {domain} {number} ?"

        def respond(right: bool, first: int = first, second: int = second) -> dict[str, Any]:
            text = f"<think> s1 + 2 . 4 = {first} ; s2 * 3 . 1 = 3 </think> {3 if right else second}"
            if not rate:
                text = "the red kite of anna is on the table and the blue"
            return {"text": text, "correct": right, "formatted": bool(rate), "stopped": bool(rate), "tokens": 22}

        responses = [respond(noise.random() < rate) for _ in range(2)]
        row = {"id": f"{domain}-{number}", "prompt": prompt, "answer": "3", "responses": responses}
        rows.append({**row, "greedy": respond(rate > 0.3)})
    write_jsonl(run / f"stages/{stage}/evaluate/miniature_{domain}.samples.jsonl", rows)


def write_difficulty(run: Path, stage: str) -> None:
    """Eight responses to each of 100 prompts a domain; those solved 1 to 7 times are kept."""
    noise = random.Random(f"{stage}/difficulty")
    rows = [
        {"prompt": f"Q {domain} {number} ?", "domain": domain, "samples": 8, "correct": right}
        for domain, rate in zip(DOMAINS, RATES["mid"], strict=True)
        for number in range(100)
        for right in [sum(noise.random() < rate for _ in range(8))]
    ]
    write_jsonl(run / f"stages/{stage}/difficulty.jsonl", rows)
    write_jsonl(run / f"stages/{stage}/prompts.jsonl", [row for row in rows if 0 < row["correct"] < 8])


def write_manifest(run: Path, seconds: Mapping[str, float]) -> None:
    def kind(name: str) -> str:
        return {"evaluate": "evaluate", "analyze": "analyze", "data": "data"}.get(name.partition(":")[0], "stage")

    nodes = {
        name: {
            "status": "finished",
            "kind": kind(name),
            "section": {},
            "parents": {},
            "started": "2026-03-17T09:00:00+00:00",
            "finished": "2026-03-17T09:08:00+00:00",
            "code_version": "0.1.0",
            "outputs": [],
            "seconds": value,
        }
        for name, value in seconds.items()
    }
    write_json(run / "manifest.json", {"schema_version": 1, "run": run.name, "nodes": nodes, "artifacts": {}})


def write_miniature(run: Path, steps: int = 200, rl_steps: int = 30) -> None:
    """A whole miniature: eleven stages with everything that they leave behind."""
    recipe = load_recipe("miniature").model_dump(mode="json", by_alias=True)
    write_recipe(run, recipe)
    for blend, weights in recipe["data"]["blends"].items():
        _write_lock(run, blend, weights, recipe["data"]["sources"])
    seconds = {"data": 8.2}
    for stage, node in recipe["pipeline"].items():
        if node["stage"] in ("pretrain", "midtrain"):
            blend = recipe["data"]["blends"][node["with"].get("blend", "math_code_science")]
            start, end = (4.4, 1.9) if stage == "base" else (2.6, 0.7)
            write_training(run, stage, list(blend), steps, start, end)
            seconds[stage] = 44.0 + len(stage)
        elif node["stage"] == "difficulty":
            write_difficulty(run, stage)
            seconds[stage] = 21.4
            continue
        else:
            before, after = (dict(zip(DOMAINS, RATES[name], strict=True)) for name in (node["from"], stage))
            write_rl(run, stage, before, after, rl_steps)
            seconds[stage] = 33.0
        _write_evaluation(run, stage)
        seconds[f"evaluate:{stage}"] = 9.7
    _write_analysis(run)
    seconds |= {"analyze:base:mid": 3.1, "analyze:mid:rl": 3.3, "analyze:base:rl_from_base": 3.0}
    write_manifest(run, seconds)


def _write_evaluation(run: Path, stage: str) -> None:
    for domain, rate in zip(DOMAINS, RATES[stage], strict=True):
        greedy = min(1.0, rate + GREEDY_GAIN.get(stage, 0.04)) if rate else 0.0
        write_generation(run, stage, domain, rate, greedy)
        write_samples(run, stage, domain, rate)
    write_choice(run, stage, FACTS.get(stage, 1.0))


def _write_analysis(run: Path) -> None:
    scale = {"attention.q": 0.8, "attention.k": 0.75, "attention.v": 0.9, "attention.o": 1.25, "mlp.gate": 1.0}
    scale |= {"mlp.up": 1.1, "mlp.down": 1.5, "embedding": 0.3, "output": 0.6, "norm": 0.2}
    for before, after, total, unchanged, minimum in (
        ("base", "mid", 0.34, 1.6, 0.947),
        ("mid", "rl", 0.0208, 23.7, 0.995),
        ("base", "rl_from_base", 0.0231, 21.9, 0.991),
    ):
        write_weights(run, before, after, total, unchanged, {name: total * factor for name, factor in scale.items()})
        write_cka(run, before, after, minimum, ("math", "science", "general"))
    write_relation(run, ("base", "rl_from_base"), ("mid", "rl"), 0.02)
    write_relation(run, ("base", "mid"), ("base", "rl_from_base"), -0.01)
    write_series(run, "rl", (1, 5, 10, 20, 30))
    write_landscape(run)


def _write_lock(run: Path, blend: str, weights: Mapping[str, float], sources: Mapping[str, Any]) -> None:
    rows = [
        {
            "name": name,
            "prefix": f"../sources/{name}",
            "weight_percent": weight,
            "tokens": 300_000,
            "documents": 9_000,
            "epochs": round(weight / 100 * 899_072 / 300_000, 4),
            "domain": sources[name]["domain"],
            "bin": [{"size": 600_000, "sha256": "0" * 64}],
            "idx": [{"size": 180_042, "sha256": "0" * 64}],
        }
        for name, weight in weights.items()
    ]
    write_json(
        run / f"data/blends/{blend}.lock.json",
        {"schema_version": 2, "blend": blend, "budget_tokens": 899_072, "seed": 1, "sources": rows, "fingerprint": ""},
    )


def _write_task(
    run: Path,
    stage: str,
    task: str,
    kind: str,
    domain: str,
    metrics: Mapping[str, Any],
    skipped: int = 0,
    settings: Mapping[str, Any] = MappingProxyType({"samples": 2, "temperature": 1.0, "max_new_tokens": 44}),
) -> None:
    write_json(
        run / f"stages/{stage}/evaluate/{task}.json",
        {
            "schema_version": 1,
            "task": task,
            "version": 1,
            "kind": kind,
            "domain": domain,
            "description": f"Made-up {domain} questions.",
            "settings": dict(settings),
            "checkpoint_hash": "0" * 64,
            "prompts": 300,
            "skipped_too_long": skipped,
            "metrics": metrics,
            "seconds": 2.5,
        },
    )


def _estimate(value: float, prompts: int = 300) -> dict[str, float]:
    half = 1.96 * math.sqrt(value * (1 - value) / prompts)
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half)}


def _change(relative_l2: float, unchanged: float) -> dict[str, Any]:
    return {"relative_l2": relative_l2, "unchanged_percent": _thresholds(unchanged), "elements": 100_000}


def _thresholds(unchanged: float) -> dict[str, float]:
    return {f"{threshold:g}": min(100.0, unchanged * threshold**0.6) for threshold in (0.1, 0.5, 1, 2, 5, 10)}
