"""The body of each section, as HTML. Each is empty where the run has nothing to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from prism.report.chain import chain_picture
from prism.report.charts import Bars, Line, bar_chart, line_chart, smoothed
from prism.report.claims import CheckedClaim
from prism.report.results import Json, RunResults, StageResults, samples

_SMOOTHING = 20
_MARKS = {True: '<span class="holds">✓ holds</span>', False: '<span class="fails">✗ does not hold</span>'}


def claims(checked: Sequence[CheckedClaim]) -> str:
    rows = []
    for claim in checked:
        value = "–" if claim.value is None else f"{claim.value:.4g} {claim.unit}".strip()
        reason = escape(claim.reason) if claim.reason else "no threshold"
        mark = _MARKS[claim.holds] if claim.holds is not None else f'<span class="none">{reason}</span>'
        rows.append(
            [escape(claim.claim), f"<code>{claim.name}</code>", escape(value), escape(claim.threshold or "–"), mark]
        )
    return _table(["claim", "name", "value", "threshold", ""], rows, numbers=(2,))


def chain(results: RunResults) -> str:
    picture = chain_picture(results)
    return f'<div class="scroll">{picture}</div>' if picture else ""


def blends(results: RunResults) -> str:
    parts = []
    for name, lock in results.blends.items():
        sources = lock["sources"]
        bar = "".join(
            f'<span class="b{index % 8}" style="width:{source["weight_percent"]}%" title="{escape(source["name"])}">'
            f"{escape(source['name'])}</span>"
            for index, source in enumerate(sources)
        )
        rows = [
            [
                escape(source["name"]),
                escape(source.get("domain", "")),
                f"{source['weight_percent']:g} %",
                f"{source['weight_percent'] / 100 * lock['budget_tokens']:,.0f}",
                f"{source['tokens']:,}",
                f"{source['epochs']:.2f}",
            ]
            for source in sources
        ]
        head = ["source", "domain", "weight", "tokens used", "tokens there", "epochs"]
        parts.append(
            f"<div><h3>{escape(name)} <span class='pm'>{lock['budget_tokens']:,} tokens</span></h3>"
            f'<div class="blend">{bar}</div>{_table(head, rows, numbers=(2, 3, 4, 5))}</div>'
        )
    return f'<div class="grid">{"".join(parts)}</div>' if parts else ""


def training(results: RunResults) -> str:
    stages = [
        stage for stage in results.stages.values() if stage.kind in ("pretrain", "midtrain", "extend") and stage.metrics
    ]
    if not stages:
        return ""
    charts = [
        line_chart([_curve(stage, "loss") for stage in stages], x="step", y="loss (nats a token)", label="Loss"),
        line_chart([_curve(stage, "grad_norm") for stage in stages], x="step", y="grad norm", label="Grad norm"),
        line_chart(
            [Line(stage.name, [(row["step"], row["learning_rate"]) for row in stage.metrics]) for stage in stages],
            x="step",
            y="learning rate",
            label="Learning rate",
        ),
    ]
    charts += [_by_source(stage) for stage in stages]
    rows = []
    for stage in stages:
        timing = [row["timing"]["tokens_per_second"] for row in stage.metrics]
        mfu = [row["timing"]["mfu"] for row in stage.metrics if row["timing"].get("mfu")]
        rows.append(
            [
                escape(stage.name),
                f"{stage.metrics[-1]['step']:,}",
                f"{stage.metrics[-1]['tokens']:,}",
                f"{_tail_mean(stage.metrics, 'loss'):.4f}",
                f"{sorted(timing)[len(timing) // 2]:,.0f}",
                f"{100 * sum(mfu) / len(mfu):.1f} %" if mfu else "–",
            ]
        )
    head = ["stage", "steps", "tokens", "last loss", "tokens/s (median)", "MFU"]
    return f'<div class="grid">{"".join(charts)}</div>' + _table(head, rows, numbers=(1, 2, 3, 4, 5))


def evaluation(results: RunResults) -> str:
    stages = [stage for stage in results.stages.values() if stage.evaluation]
    if not stages:
        return ""
    tasks: dict[str, Json] = {}
    for stage in stages:
        tasks.update({name: task for name, task in stage.evaluation.items() if name not in tasks})
    charts = []
    names = [stage.name for stage in stages]
    for task, about in tasks.items():
        groups = [
            bars
            for metric, label, scale in (
                ("pass_rate", "sampled", 100),
                ("pass_rate_greedy", "greedy", 100),
                ("accuracy", "accuracy", 100),
                ("bits_per_byte", "bits per byte", 1),
            )
            if (bars := _metric_bars(stages, task, metric, label, scale)) is not None
        ]
        unit = "bits per byte" if about["kind"] == "bits_per_byte" else "percent"
        high = None if about["kind"] == "bits_per_byte" else 100.0
        charts.append(bar_chart(names, groups, y=unit, label=f"{task} ({about['domain']})", high=high))
    rows = [[escape(stage.name), *(_cell(stage.evaluation.get(task)) for task in tasks)] for stage in stages]
    skipped = [
        f"{escape(name)}: {task['skipped_too_long']} of {task['prompts']} prompts were longer than the context and left out."
        for name, task in tasks.items()
        if task.get("skipped_too_long")
    ]
    notes = "".join(f"<p>{note}</p>" for note in skipped)
    described = "".join(
        f"<li><code>{escape(name)}</code> v{task['version']}: {escape(task.get('description', ''))}</li>"
        for name, task in tasks.items()
    )
    return (
        f'<div class="grid">{"".join(charts)}</div>{notes}{_table(["stage", *tasks], rows)}'
        f"<details><summary>What the tasks are</summary><ul>{described}</ul></details>"
    )


def reinforcement(results: RunResults) -> str:
    stages = [stage for stage in results.stages.values() if stage.kind == "rl" and stage.metrics]
    if not stages:
        return ""
    charts = [
        line_chart([_series(stage, key) for stage in stages], x="step", y=unit, label=title)
        for key, title, unit in (
            ("reward", "Reward", "mean reward"),
            ("response_length", "Response length", "tokens"),
            ("kl", "KL to the reference", "nats a token"),
            ("live_groups", "Groups whose rewards differ", "share"),
            ("grad_norm", "Grad norm", "grad norm"),
            ("mismatch", "Generator against trainer", "mean |log-probability difference|"),
        )
    ]
    for stage in stages:
        domains = sorted({domain for row in stage.metrics for domain in row["pass_rate_by_domain"]})
        lines = [
            Line(
                domain,
                [
                    (row["step"], row["pass_rate_by_domain"][domain])
                    for row in stage.metrics
                    if domain in row["pass_rate_by_domain"]
                ],
            )
            for domain in domains
        ]
        charts.append(
            line_chart(lines, x="step", y="pass rate", label=f"Pass rate of rollouts, {stage.name}", low=0.0, high=1.0)
        )
    filters = [stage for stage in results.stages.values() if stage.difficulty]
    charts += [_difficulty(stage) for stage in filters]
    return f'<div class="grid">{"".join(charts)}</div>'


def sample_responses(results: RunResults, prompts_per_task: int = 2) -> str:
    shown = [name for name in ("base", "mid", "rl", "rl_from_base") if name in results.stages]
    shown = shown or [name for name, stage in results.stages.items() if stage.evaluation][:4]
    parts = []
    tasks = [
        name for stage in shown for name, task in results.stages[stage].evaluation.items() if task["kind"] == "generate"
    ]
    for task in dict.fromkeys(tasks):
        lines = {stage: samples(results, stage, task) for stage in shown}
        for number in range(prompts_per_task):
            cards = [_sample(stage, lines[stage][number]) for stage in shown if len(lines[stage]) > number]
            if cards:
                prompt = next(lines[stage][number] for stage in shown if len(lines[stage]) > number)
                parts.append(
                    f'<p class="prompt"><code>{escape(str(prompt["prompt"]))}</code> <span class="pm">right: '
                    f'{escape(str(prompt["answer"])[-120:])}</span></p><div class="samples">{"".join(cards)}</div>'
                )
    return "".join(parts)


def weights(results: RunResults) -> str:
    if not results.weights:
        return ""
    pairs = list(results.weights)
    names = list(dict.fromkeys(name for pair in pairs for name in results.weights[pair]["by_sub_component"]))
    moved = [
        Bars(_arrow(pair), [_at(results.weights[pair]["by_sub_component"], name, "relative_l2") for name in names])
        for pair in pairs
    ]
    thresholds = list(results.weights[pairs[0]]["total"]["unchanged_percent"])
    kept = [
        Bars(_arrow(pair), [results.weights[pair]["total"]["unchanged_percent"].get(t) for t in thresholds])
        for pair in pairs
    ]
    still = [
        Bars(_arrow(pair), [_unchanged(results.weights[pair]["by_sub_component"].get(name)) for name in names])
        for pair in pairs
    ]
    charts = [
        bar_chart(names, moved, y="relative L2", label="Change by part (logarithmic)", log=True),
        bar_chart(
            [f"< {t} %" for t in thresholds],
            kept,
            y="percent of weights",
            label="Unchanged weights by threshold",
            high=100.0,
        ),
        bar_chart(names, still, y="percent", label="Unchanged (below 1%) by part", high=100.0),
        _by_layer(results),
    ]
    rows = [
        [
            _arrow(pair, html=True),
            f"{results.weights[pair]['total']['relative_l2']:.4g}",
            f"{results.weights[pair]['total']['unchanged_percent'].get('1', float('nan')):.1f} %",
            escape(results.weights[pair]["dtype"]),
        ]
        for pair in pairs
    ]
    table = _table(["from, to", "relative L2 (matrices)", "unchanged below 1%", "compared in"], rows, numbers=(1, 2))
    return f'<div class="grid">{"".join(charts)}</div>{table}'


def representations(results: RunResults) -> str:
    charts = []
    sets = list(dict.fromkeys(part["name"] for analysis in results.cka.values() for part in analysis["inputs"]))
    for name in sets:
        lines = []
        for pair, analysis in results.cka.items():
            found: list[list[Json]] = [part["layers"] for part in analysis["inputs"] if part["name"] == name]
            layers = found[0] if found else []
            points = [(layer["layer"] + 1, layer["cka"]) for layer in layers]
            lines.append(
                Line(_arrow(pair), points, [layer["low"] for layer in layers], [layer["high"] for layer in layers])
            )
        charts.append(line_chart(lines, x="layer", y="linear CKA", label=f"CKA on {name} inputs", high=1.0))
    return f'<div class="grid">{"".join(charts)}</div>' if charts else ""


def time_spent(results: RunResults) -> str:
    rows = [[escape(name), f"{seconds:.1f}"] for name, seconds in results.seconds.items()]
    return _table(["step of the run", "seconds"], rows, numbers=(1,)) if rows else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        marked = (f'<{tag} class="n">' if index in numbers else f"<{tag}>" for index in range(len(cells)))
        return "<tr>" + "".join(f"{start}{cell}</{tag}>" for start, cell in zip(marked, cells, strict=True)) + "</tr>"

    return f'<div class="scroll"><table>{row(head, "th")}{"".join(row(cells, "td") for cells in rows)}</table></div>'


def _curve(stage: StageResults, key: str) -> Line:
    points = [(float(row["step"]), float(row[key])) for row in stage.metrics]
    return Line(stage.name, smoothed(points, _SMOOTHING))


def _series(stage: StageResults, key: str) -> Line:
    return Line(stage.name, [(row["step"], row[key]) for row in stage.metrics])


def _by_source(stage: StageResults) -> str:
    sources = sorted({source for row in stage.metrics for source in row["loss_by_source"]})
    lines = [
        Line(
            source,
            smoothed(
                [
                    (row["step"], row["loss_by_source"][source])
                    for row in stage.metrics
                    if source in row["loss_by_source"]
                ],
                _SMOOTHING,
            ),
        )
        for source in sources
    ]
    return line_chart(lines, x="step", y="loss (nats a token)", label=f"Loss by source, {stage.name}")


def _tail_mean(rows: Sequence[Json], key: str) -> float:
    tail = rows[-_SMOOTHING:]
    return float(sum(row[key] for row in tail) / len(tail))


def _metric_bars(stages: Sequence[StageResults], task: str, metric: str, label: str, scale: float) -> Bars | None:
    found = [stage.evaluation.get(task, {}).get("metrics", {}).get(metric) for stage in stages]
    if not any(found):
        return None

    def column(key: str) -> list[float | None]:
        return [scale * item[key] if item else None for item in found]

    return Bars(label, column("value"), column("low"), column("high"))


def _cell(task: Json | None) -> str:
    if task is None or not task["metrics"]:
        return "–"
    metrics = task["metrics"]
    if "bits_per_byte" in metrics:
        return _with_interval(metrics["bits_per_byte"], 1, 3)
    if "accuracy" in metrics:
        return _with_interval(metrics["accuracy"], 100, 1)
    cell = _with_interval(metrics["pass_rate"], 100, 1) if "pass_rate" in metrics else ""
    if "pass_rate_greedy" in metrics:
        cell += f' <span class="pm">greedy</span> {100 * metrics["pass_rate_greedy"]["value"]:.1f}'
    return cell


def _with_interval(metric: Mapping[str, float], scale: float, digits: int) -> str:
    low, high = scale * metric["low"], scale * metric["high"]
    return f'{scale * metric["value"]:.{digits}f} <span class="pm">{low:.{digits}f}–{high:.{digits}f}</span>'


def _difficulty(stage: StageResults) -> str:
    most = max(row["samples"] for row in stage.difficulty)
    domains = sorted({row["domain"] for row in stage.difficulty})
    counts = [
        Bars(
            domain,
            [
                sum(row["correct"] == right for row in stage.difficulty if row["domain"] == domain)
                for right in range(most + 1)
            ],
        )
        for domain in domains
    ]
    return bar_chart(
        [str(right) for right in range(most + 1)],
        counts,
        y="prompts",
        label=f"Right responses of {most}, before RL ({stage.name})",
    )


def _sample(stage: str, line: Mapping[str, Any]) -> str:
    response = (line["responses"] or [line["greedy"]])[0]
    right = response["correct"] and response["formatted"]
    mark = "✓ right" if right else "✗ wrong"
    text = escape(response["text"][:600]) or "<i>empty</i>"
    return f'<div class="{"right" if right else "wrong"}"><b>{escape(stage)}</b> <span class="pm">{mark}</span><code>{text}</code></div>'


def _arrow(pair: tuple[str, str], html: bool = False) -> str:
    text = f"{pair[0]} → {pair[1]}"
    return escape(text) if html else text


def _at(groups: Mapping[str, Json], name: str, key: str) -> float | None:
    value = groups.get(name, {}).get(key)
    return float(value) if value is not None else None


def _unchanged(group: Json | None) -> float | None:
    return float(group["unchanged_percent"]["1"]) if group and "1" in group["unchanged_percent"] else None


def _by_layer(results: RunResults) -> str:
    lines = []
    for pair, analysis in results.weights.items():
        by_layer: dict[int, list[tuple[float, int]]] = {}
        for tensor in analysis["tensors"]:
            if tensor["layer"] is not None and tensor["relative_l2"] is not None and tensor["component"] != "norm":
                by_layer.setdefault(tensor["layer"], []).append((tensor["relative_l2"], tensor["elements"]))
        points = [
            (layer + 1.0, sum(value * size for value, size in parts) / sum(size for _, size in parts))
            for layer, parts in sorted(by_layer.items())
        ]
        lines.append(Line(_arrow(pair), points))
    return line_chart(
        lines, x="layer", y="relative L2, mean by elements", label="Change by layer (logarithmic)", log=True
    )
