"""Runs a task of the harness and reads what it found."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.evaluator import evaluate

from data_prep.files import fingerprint, write_jsonl
from prism.evaluate.harness.backend import Backend
from prism.evaluate.harness.decoding import decoding_of
from prism.evaluate.harness.installed import VERSION
from prism.evaluate.harness.journal import Journal
from prism.evaluate.harness.load import LoadedTask
from prism.evaluate.harness.metrics import TaskScores, chosen, group_metrics, metric_name, read_scores
from prism.evaluate.harness.model import HarnessModel
from prism.evaluate.harness.quiet import quiet
from prism.evaluate.harness.tokenizer import HarnessTokenizer
from prism.evaluate.task import HarnessTask
from prism.megatron.checkpoint.ranks import is_first

log = logging.getLogger("prism.evaluate")


@dataclass(frozen=True)
class HarnessResult:
    """What goes into a result file.

    prompts: documents of all tasks.
    details: versions, configurations, generation settings, subtasks.
    """

    metrics: dict[str, Any]
    prompts: int
    details: dict[str, Any]


def check_settings(loaded: LoadedTask) -> None:
    """Raises UsageError when a task's generation settings contradict themselves: before anything is computed."""
    for name, one in loaded.tasks.items():
        if one.get_config("output_type") == "generate_until":
            decoding_of(one.get_config("generation_kwargs") or {}, name)


def run_harness(
    task: HarnessTask,
    loaded: LoadedTask,
    model: Backend,
    tokenizer: HarnessTokenizer,
    folder: Path,
    key: str,
) -> HarnessResult:
    """Writes `<task>.samples.jsonl` to the folder; answers lie in `<task>.answers.jsonl` until then.

    All ranks call it together: each runs the harness, the first one writes.

    Args:
        key: of the checkpoint, the task and its data; answers that carry another are thrown away.

    Raises:
        UsageError: the harness doesn't give a metric that the task names.
    """
    journal = Journal(folder / f"{task.name}.answers.jsonl", key)
    lm = HarnessModel(model, tokenizer, journal)
    with quiet():
        found = evaluate(
            lm,
            loaded.loaded,
            limit=task.limit,
            bootstrap_iters=0,  # intervals are ours
            log_samples=True,
            system_instruction=task.system,
            apply_chat_template=task.chat_template,
            fewshot_as_multiturn=task.chat_template,
        )
    scores = {name: read_scores(found["samples"][name], one.aggregation()) for name, one in loaded.tasks.items()}
    metrics = chosen(_metrics(task, found, scores), task.metrics, task.name)
    if is_first():
        write_jsonl(folder / f"{task.name}.samples.jsonl", _lines(found["samples"], key))
    journal.end()
    if lm.truncated:
        log.warning("%s: %d contexts were cut on the left, they were too long", task.name, lm.truncated)
    prompts = sum(counts["effective"] for counts in found["n-samples"].values())
    return HarnessResult(metrics, prompts, _details(loaded, found, scores, lm))


def _metrics(task: HarnessTask, found: Mapping[str, Any], scores: Mapping[str, TaskScores]) -> dict[str, Any]:
    """Of the task itself; of a group what it aggregates; of a tag its tasks' own, each as `task:metric`."""
    if task.task in scores:
        return {name: scores[task.task].metric(name) for name in scores[task.task].values}
    if task.task in found.get("groups", {}):
        members = [scores[name] for name in _leaves(task.task, found["group_subtasks"]) if name in scores]
        return group_metrics(_values(found["groups"][task.task]), members)
    return {f"{name}:{metric}": one.metric(metric) for name, one in scores.items() for metric in one.values}


def _values(results: Mapping[str, Any]) -> dict[str, float]:
    """Values by our names, of a row such as {"acc,none": 0.5, "acc_stderr,none": "N/A", "alias": ...}."""
    named = [(*key.split(",", 1), value) for key, value in results.items() if "," in key]
    return {
        metric_name(metric, filter_name): float(value)
        for metric, filter_name, value in named
        if not metric.endswith("_stderr")
    }


def _leaves(name: str, subtasks: Mapping[str, list[str]]) -> list[str]:
    children = subtasks.get(name)
    return [leaf for child in children for leaf in _leaves(child, subtasks)] if children else [name]


def _details(
    loaded: LoadedTask, found: Mapping[str, Any], scores: Mapping[str, TaskScores], lm: HarnessModel
) -> dict[str, Any]:
    tasks = {}
    for name, one in loaded.tasks.items():
        decoding = lm.decodings.get(name)
        tasks[name] = {
            "version": found["versions"].get(name),
            "hash": fingerprint(
                sorted(sample["doc_hash"] + sample["prompt_hash"] for sample in found["samples"][name])
            ),
            "num_fewshot": found["n-shot"].get(name),
            "prompts": found["n-samples"][name]["effective"],
            "of": found["n-samples"][name]["original"],
            "output_type": one.get_config("output_type"),
            "generation": None if decoding is None else decoding.as_json(),
            "metrics": {metric: scores[name].metric(metric) for metric in scores[name].values},
        }
    return {"harness": f"lm-eval {VERSION}", "truncated_contexts": lm.truncated, "tasks": tasks}


def _lines(samples: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """A line a document and filter."""
    for name, own in samples.items():
        for sample in own:
            yield json.loads(
                json.dumps(
                    {
                        "id": f"{name}:{sample['doc_id']}:{sample['filter']}",
                        "task": name,
                        "prompt": sample["arguments"][0][0],
                        "asked": [list(arguments[1:]) for arguments in sample["arguments"]],
                        "answer": sample["target"],
                        "responses": sample["resps"],
                        "filtered": sample["filtered_resps"],
                        "metrics": {metric: sample[metric] for metric in sample["metrics"]},
                        **{part: sample[part] for part in ("doc_hash", "prompt_hash", "target_hash")},
                        "key": key,
                    },
                    default=str,
                )
            )
