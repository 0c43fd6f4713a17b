"""Harness tasks through our runner: results, resuming, data from this disk, settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prism.errors import BadInput, UsageError
from prism.evaluate.runner import evaluate_tasks
from prism.evaluate.subject import Subject, folder_subject
from prism.evaluate.task import HarnessTask, load_task
from prism.megatron.parallel import Layout, process_groups
from tests.evaluate.harness.test_parity import read, values

pytestmark = pytest.mark.xdist_group("harness")


@pytest.fixture(scope="module")
def subject(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    with process_groups(Layout(), seed=1):
        yield folder_subject(tiny / "hf", tmp_path_factory.mktemp("weights"), Layout(), batch_size=7)


def harness_task(tiny: Path, task: str, **settings: Any) -> HarnessTask:
    fixed = {"name": task, "version": 1, "kind": "harness", "domain": "general", "description": "d", "limit": 12}
    return HarnessTask.model_validate({**fixed, "task": f"local_{task}", "folder": str(tiny / "tasks"), **settings})


def result_of(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return found


class Interrupted:
    """A model that is killed when it is asked for the second time."""

    def __init__(self, model: Any) -> None:
        self._model, self.context_length, self.calls = model, model.context_length, 0

    def score(self, contexts: Sequence[Any], continuations: Sequence[Any]) -> Any:
        self.calls += 1
        if self.calls == 2:
            raise KeyboardInterrupt
        return self._model.score(contexts, continuations)


def test_a_result_has_the_harness_values_with_intervals_versions_and_settings(
    tiny: Path, subject: Subject, tmp_path: Path
) -> None:
    evaluate_tasks(subject, [harness_task(tiny, "stem"), harness_task(tiny, "gsm8k")], tmp_path)
    stem, gsm8k, theirs = result_of(tmp_path, "stem"), result_of(tmp_path, "gsm8k"), read(tiny, "hf")
    assert stem["metrics"]["acc"]["value"] == values(theirs, "local_stem")["acc,none"]
    assert stem["metrics"]["acc"]["low"] < stem["metrics"]["acc"]["value"] < stem["metrics"]["acc"]["high"]
    assert stem["prompts"] == 24 and stem["tasks"]["local_mmlu"]["num_fewshot"] == 5
    assert stem["truncated_contexts"] > 0 and stem["harness"] == "lm-eval 0.4.13"
    assert set(gsm8k["metrics"]) == {"exact_match,strict-match", "exact_match,flexible-extract"}
    of_gsm8k = gsm8k["tasks"]["local_gsm8k"]
    assert of_gsm8k["generation"]["do_sample"] is False and of_gsm8k["generation"]["max_new_tokens"] == 40
    assert of_gsm8k["version"] == 1.0 and len(of_gsm8k["hash"]) == 64
    samples = [json.loads(line) for line in (tmp_path / "gsm8k.samples.jsonl").read_text().splitlines()]
    assert len(samples) == 24 and samples[0]["prompt"].startswith("Question: ")


def test_a_finished_task_is_left_alone_until_its_data_changes(tiny: Path, subject: Subject, tmp_path: Path) -> None:
    task = harness_task(tiny, "winogrande")
    evaluate_tasks(subject, [task], tmp_path)
    first = result_of(tmp_path, "winogrande")
    evaluate_tasks(replace(subject, load=_must_not), [task], tmp_path)
    assert result_of(tmp_path, "winogrande") == first
    evaluate_tasks(subject, [task.model_copy(update={"limit": 11})], tmp_path)
    assert result_of(tmp_path, "winogrande")["key"] != first["key"]


def test_a_killed_task_goes_on_and_ends_as_if_it_had_not_been(
    tiny: Path, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prism.evaluate.harness.journal.Journal.__init__.__defaults__", (None, "", 10))
    task, model = harness_task(tiny, "winogrande"), subject.load()
    evaluate_tasks(replace(subject, load=lambda: model), [task], tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        evaluate_tasks(replace(subject, load=lambda: Interrupted(model)), [task], tmp_path / "killed")
    assert len((tmp_path / "killed" / "winogrande.answers.jsonl").read_text().splitlines()) == 1
    second = Interrupted(model)
    second.calls = 5
    evaluate_tasks(replace(subject, load=lambda: second), [task], tmp_path / "killed")
    assert second.calls == 7  # of three batches one was there
    whole, killed = ((tmp_path / name / "winogrande.samples.jsonl").read_bytes() for name in ("whole", "killed"))
    assert whole == killed and not (tmp_path / "killed" / "winogrande.answers.jsonl").exists()


def test_missing_data_is_told_at_the_end_and_the_other_results_are_kept(
    tiny: Path, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    missing = load_task("general_truthfulqa")
    assert isinstance(missing, HarnessTask)
    missing = missing.model_copy(update={"path": str(tmp_path / "nowhere")})
    with pytest.raises(BadInput, match=r"nowhere/truthfulqa/truthful_qa: the data of .*Remedy: hf download truthfulqa"):
        evaluate_tasks(subject, [missing, harness_task(tiny, "winogrande")], tmp_path)
    assert result_of(tmp_path, "winogrande")["prompts"] == 12


def test_a_packaged_task_reads_the_folder_of_a_data_set_of_the_hub(subject: Subject, tmp_path: Path) -> None:
    folder = tmp_path / "allenai" / "winogrande"
    (folder / "xl").mkdir(parents=True)
    rows = [{"sentence": f"Ann thanked Bea since _ was {n}.", "option1": "Ann", "option2": "Bea"} for n in range(9)]
    for split in ("train", "validation"):
        lines = [json.dumps({**row, "answer": str(1 + number % 2)}) for number, row in enumerate(rows)]
        (folder / "xl" / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    card = "configs:\n- config_name: winogrande_xl\n  data_files:\n" + "".join(
        f"  - {{split: {split}, path: xl/{split}.jsonl}}\n" for split in ("train", "validation")
    )
    (folder / "README.md").write_text(f"---\n{card}---\n")
    task = load_task("general_winogrande").model_copy(update={"path": str(tmp_path)})
    evaluate_tasks(subject, [task], tmp_path / "out", limit=4)
    found = result_of(tmp_path / "out", "general_winogrande")
    assert found["prompts"] == 4 and found["tasks"]["winogrande"]["num_fewshot"] == 5
    prompts = [json.loads(line)["prompt"] for line in (tmp_path / "out/general_winogrande.samples.jsonl").open()]
    assert all(prompt.count("thanked") == 6 for prompt in prompts)


def test_sampling_that_contradicts_itself_is_refused_before_the_model_is_made(
    tiny: Path, subject: Subject, tmp_path: Path
) -> None:
    task = harness_task(tiny, "gsm8k", generation={"temperature": 0.7})  # the task's own do_sample: false stays
    with pytest.raises(UsageError, match=r"do_sample: false and temperature: 0\.7 contradict each other"):
        evaluate_tasks(replace(subject, load=_must_not), [task], tmp_path)


def test_repeated_samples_differ_and_come_out_the_same_again(tiny: Path, subject: Subject, tmp_path: Path) -> None:
    sampled = {"do_sample": True, "temperature": 1.0, "max_gen_toks": 12, "until": []}
    task = harness_task(tiny, "gsm8k", generation=sampled, overrides={"repeats": 2}, limit=3)
    responses = []
    for name in ("one", "two"):
        evaluate_tasks(subject, [task], tmp_path / name)
        samples = [json.loads(line) for line in (tmp_path / name / "gsm8k.samples.jsonl").open()]
        responses.append([sample["responses"][0] for sample in samples])
    assert responses[0] == responses[1]
    assert all(first != second for first, second in responses[0])


def test_a_chat_template_shapes_the_prompt_and_begins_it_once(tiny: Path, subject: Subject, tmp_path: Path) -> None:
    task = harness_task(tiny, "gsm8k", chat_template=True, system="Be brief.", limit=2)
    evaluate_tasks(subject, [task], tmp_path)
    prompt = json.loads((tmp_path / "gsm8k.samples.jsonl").open().readline())["prompt"]
    assert prompt.startswith("<s><system> Be brief.\n<user> Question: ") and prompt.endswith("<assistant>")
    from prism.evaluate.harness.tokenizer import HarnessTokenizer

    tokens = HarnessTokenizer(tiny / "hf").encode_prompt(prompt)
    assert tokens.count(0) == 1 and tokens[0] == 0


def _must_not() -> Any:
    raise AssertionError("the model was made")
