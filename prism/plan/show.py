"""A plan as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from prism.plan.memory import GIB
from prism.plan.rl_memory import in_words
from prism.plan.sampling import SamplingPlan
from prism.plan.search import Proposal
from prism.plan.stages import Plan, StagePlan

if TYPE_CHECKING:
    from rich.table import Table

_PARTS = ("weights", "gradients", "optimizer", "activations", "logits", "buffers", "overhead")


def tables(plan: Plan) -> Iterator[Table]:
    """What is trained, what it takes of a rank's memory, how long it takes, what it leaves on disk."""
    yield _work(plan.stages)
    yield _memory(plan.stages)
    yield _time(plan.stages)
    if plan.samplings:
        yield _sampling(plan.samplings)
    yield _disk(plan)


def _table(*titles: str, left: int = 1) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for number, title in enumerate(titles):
        table.add_column(title, justify="left" if number < left else "right")
    return table


def _work(stages: Sequence[StagePlan]) -> Table:
    table = _table("stage", "kind", "from", "devices", "steps", "sequence", "sequences a step", "tokens", left=3)
    for stage in stages:
        most = "<= " if stage.rl is not None else ""
        table.add_row(
            stage.name,
            stage.kind,
            stage.parent or "-",
            f"{stage.cluster.processes:,}",
            f"{stage.steps:,}",
            f"{most}{stage.sequence_length:,}",
            f"{stage.sequences:,}",
            f"{most}{stage.tokens:,}",
        )
    return table


def _memory(stages: Sequence[StagePlan]) -> Table:
    table = _table("GiB a rank", "parameters", *_PARTS, "total", "device")
    for stage in stages:
        rank = stage.worst
        parts = asdict(rank.memory)
        where = f", stage {rank.number + 1} of {len(stage.ranks)}" if len(stage.ranks) > 1 else ""
        table.add_row(
            f"{stage.name}{where}",
            f"{rank.parameters:,}",
            *(_gib(parts[part]) for part in _PARTS),
            _gib(rank.memory.total),
            f"{stage.device_gib:g}",
        )
    return table


def _time(stages: Sequence[StagePlan]) -> Table:
    table = _table(
        "time",
        "step",
        "compute",
        "messages",
        "idle",
        "optimizer",
        "tokens/s a device",
        "MFU",
        "days",
        "hours x devices",
    )
    for stage in stages:
        if stage.time is not None:
            time = stage.time
            cells = [_seconds(one) for one in (time.compute_s, time.messages_s, time.idle_s, time.optimizer_s)]
            cells += [f"{time.tokens_per_device_s:,.0f}", f"{time.mfu:.1%}"]
        else:
            cells = [""] * 6
        table.add_row(stage.name, _seconds(stage.step_s), *cells, f"{stage.days:,.2f}", f"{stage.gpu_hours:,.0f}")
    return table


def _sampling(stages: Sequence[SamplingPlan]) -> Table:
    table = _table(
        "sampling",
        "from",
        "devices",
        "prompts",
        "responses each",
        "tokens each",
        "GiB a rank",
        "in caches",
        "1,000 prompts",
        "hours x devices",
        "days",
        left=2,
    )
    for stage in stages:
        devices = stage.cluster.processes
        table.add_row(
            stage.name,
            stage.parent or "-",
            f"{devices:,}",
            "all" if stage.prompts is None else f"{stage.prompts:,}",
            f"{stage.samples:,}",
            f"<= {stage.response_tokens:,}",
            _gib(stage.phase.bytes),
            f"{stage.sequences:,.0f}",
            f"<= {_seconds(stage.a_thousand_s)}",
            f"<= {stage.a_thousand_s * devices / 3_600:,.1f}",
            "-" if stage.seconds is None else f"<= {stage.seconds / 86_400:,.2f}",
        )
    return table


def _disk(plan: Plan) -> Table:
    table = _table("disk", "", "each", "at most", "GB", left=2)
    for one in plan.files:
        table.add_row(
            one.owner, one.what, f"{one.each_bytes / 1e9:,.2f}", f"{one.count:,}", f"{one.total_bytes / 1e9:,.1f}"
        )
    table.add_row("together", "", "", "", f"{sum(one.total_bytes for one in plan.files) / 1e9:,.1f}")
    return table


def rl_lines(stage: StagePlan) -> Iterator[str]:
    """Of an RL stage: each phase's memory, and each part's time."""
    if stage.rl is None or stage.rl_time is None:
        return
    for phase in stage.rl.phases:
        yield f"{stage.name}, {in_words(phase)}"
    yield f"{stage.name}: caches for {stage.rl.sequences:.1f} sequences of full length"
    time = stage.rl_time
    yield (
        f"{stage.name}: a step of responses of full length takes {_seconds(time.rollout_s)} of rollout, "
        f"{_seconds(time.reference_s)} of reference, {_seconds(time.update_s)} of update"
    )


def proposals(stage: str, found: Sequence[Proposal]) -> Table:
    """The search's layouts, fastest first; `options` says how each is applied."""
    table = _table("", f"layout of {stage}", "micro batch", "GiB a rank", "step", "MFU", "days", left=2)
    for number, one in enumerate(found, 1):
        assert one.plan.time is not None
        table.add_row(
            str(number),
            layout(one.plan),
            f"{one.micro_batch_size:,}",
            _gib(one.plan.worst.memory.total),
            _seconds(one.plan.step_s),
            f"{one.plan.time.mfu:.1%}",
            f"{one.plan.days:,.2f}",
        )
    return table


def options(stage: str, found: Sequence[Proposal]) -> Iterator[str]:
    """A line for each proposal: what applies it."""
    for number, one in enumerate(found, 1):
        yield f"{number}  {one.overrides(stage) or 'as it is'}"


def layout(stage: StagePlan) -> str:
    """Such as `TP4 PP2 SP, selective`."""
    cluster = stage.cluster
    sizes = {
        "TP": cluster.tensor_parallel,
        "PP": cluster.pipeline_parallel,
        "VP": cluster.virtual_pipeline,
        "CP": cluster.context_parallel,
    }
    words = [f"{name}{size}" for name, size in sizes.items() if size > 1]
    words += ["SP"] if cluster.sequence_parallel else []
    recompute = "" if cluster.recompute == "none" else f", recompute {cluster.recompute}"
    return (" ".join(words) or "one device a replica") + recompute


def as_json(plan: Plan, found: dict[str, list[Proposal]]) -> dict[str, Any]:
    """The plan as one object: bytes, seconds, tokens."""
    stages = {}
    for stage in plan.stages:
        stages[stage.name] = {
            "kind": stage.kind,
            "layout": layout(stage),
            "devices": stage.cluster.processes,
            "steps": stage.steps,
            "tokens": stage.tokens,
            "fits": stage.fits,
            "device_bytes": stage.device_gib * GIB,
            "ranks": [
                {
                    "pipeline_rank": rank.number,
                    "layers": rank.layers,
                    "parameters": rank.parameters,
                    "bytes": asdict(rank.memory),
                    "total_bytes": rank.memory.total,
                }
                for rank in stage.ranks
            ],
            "step_s": stage.step_s,
            "time": None if stage.time is None else asdict(stage.time),
            "rl_time": None if stage.rl_time is None else asdict(stage.rl_time),
            "rl_phases": None if stage.rl is None else {phase.name: dict(phase.parts) for phase in stage.rl.phases},
            "days": stage.days,
            "device_hours": stage.gpu_hours,
            "proposals": [
                {
                    "layout": layout(one.plan),
                    "bytes": one.plan.worst.memory.total,
                    "step_s": one.plan.step_s,
                    "changes": one.changes,
                }
                for one in found.get(stage.name, [])
            ],
        }
    return {
        "name": plan.name,
        "parameters": plan.parameters,
        "vocab_size": plan.vocab_size,
        "stages": stages,
        "samplings": {
            one.name: {
                "devices": one.cluster.processes,
                "prompts": one.prompts,
                "responses_per_prompt": one.samples,
                "response_tokens": one.response_tokens,
                "bytes": dict(one.phase.parts),
                "device_bytes": one.device_gib * GIB,
                "sequences": one.sequences,
                "a_thousand_prompts_s": one.a_thousand_s,
                "seconds": one.seconds,
            }
            for one in plan.samplings
        },
        "files": [{**asdict(one), "total_bytes": one.total_bytes} for one in plan.files],
    }


def _gib(size: float) -> str:
    gib = size / GIB
    return f"{gib:.2f}" if gib >= 0.01 or not size else f"{gib:.4f}"


def _seconds(seconds: float) -> str:
    if seconds >= 120:
        return f"{seconds / 60:,.1f} min"
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.2f} ms"
