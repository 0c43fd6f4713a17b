"""What runs share is foretold, and done before several of them start side by side."""

from __future__ import annotations

from prism.sweep.members import expand
from prism.sweep.plan import jobs, plan
from tests.sweep.conftest import WriteSweep

STEPS = "members: {a: {overrides: {pipeline.mid.with.steps: 3}}, b: {overrides: {pipeline.mid.with.steps: 5}}}\n"


def test_the_base_stage_is_shared_by_members_that_differ_in_mid_training(write: WriteSweep) -> None:
    first, second = plan(expand(write(STEPS)))
    assert dict(first.taken) == {}
    assert dict(second.taken) == {"data": "a", "base": "a"}
    assert (second.steps, second.tokens) == (5, 5 * 1024)
    assert first.steps == 781 + 3


def test_nothing_is_shared_between_seeds_of_a_made_up_world(write: WriteSweep) -> None:
    planned = {one.run.name: dict(one.taken) for one in plan(expand(write(STEPS + "seeds: [1, 2]")))}
    assert planned["a-seed2"] == {}
    assert planned["b-seed2"] == {"data": "a-seed2", "base": "a-seed2"}


def test_a_stage_that_makes_another_base_isnt_shared(write: WriteSweep) -> None:
    sweep = expand(write("grid: {pipeline.base.with.steps: [3, 5]}"))
    assert dict(plan(sweep)[1].taken) == {"data": "steps-3"}


def test_a_run_that_goes_back_to_an_earlier_one_takes_all_of_it(write: WriteSweep) -> None:
    sweep = expand(write("members: {a: {}, b: {}}"))
    assert set(plan(sweep)[1].taken) == {"data", "base", "mid", "evaluate:mid"}


def test_one_after_the_other_each_run_is_one_job(write: WriteSweep) -> None:
    found = jobs(plan(expand(write(STEPS))), 1)
    assert [(job.name, job.only, job.after) for job in found] == [
        ("a", ("evaluate:mid",), frozenset()),
        ("b", ("evaluate:mid",), frozenset()),
    ]


def test_side_by_side_what_is_shared_comes_first(write: WriteSweep) -> None:
    found = {job.name: job for job in jobs(plan(expand(write(STEPS + "seeds: [1, 2]"))), 2)}
    assert found["a-seed1 (data, base)"].only == ("data", "base")
    assert found["a-seed1 (data, base)"].after == frozenset()
    for name in ("a-seed2", "b-seed2"):
        assert found[name].after == {"a-seed2 (data, base)"}
