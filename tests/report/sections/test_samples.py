from pathlib import Path

from prism.report import load_results
from prism.report.sections.samples import PROMPTS_PER_TASK, samples


def test_each_prompt_is_answered_by_every_stage_of_the_chain(miniature_run: Path) -> None:
    shown = samples(load_results(miniature_run))
    assert len(shown) == 3 * PROMPTS_PER_TASK
    assert all([response.stage for response in prompt.responses] == ["base", "mid", "rl"] for prompt in shown)


def test_the_trace_is_told_from_the_answer(miniature_run: Path) -> None:
    shown = samples(load_results(miniature_run))[0]
    base, mid = shown.responses[0], shown.responses[1]
    assert (base.answer, base.correct) == ("", False)
    assert mid.reasoning.endswith("</think>")
    assert mid.answer.strip().isdigit()
