"""Public configurations are judged as they turned out, and their published times are near the plan's."""

from __future__ import annotations

import pytest

from prism.megatron.backend import install
from prism.plan.devices import constants
from prism.plan.memory import GIB, ranks, worst
from prism.plan.time import step_time
from tests.plan.published import PUBLISHED, Published

DEVICE = "h100_sxm"
JUDGED = [one for one in PUBLISHED if not one.tight]
TIMED = [one for one in PUBLISHED if one.step_s is not None]


def name(one: Published) -> str:
    return f"{one.model} on {one.devices}: {one.layout}"


def planned_gib(one: Published) -> float:
    install()
    return worst(ranks(one.work(), constants().overhead)).memory.total / GIB


@pytest.mark.parametrize("one", JUDGED, ids=name)
def test_a_public_configuration_is_judged_as_it_turned_out(one: Published) -> None:
    assert (planned_gib(one) <= constants().devices[DEVICE].memory_gib) == one.fits


@pytest.mark.parametrize("one", [one for one in PUBLISHED if one.tight], ids=name)
def test_what_only_fused_layers_or_narrow_gradients_fit_is_refused(one: Published) -> None:
    assert planned_gib(one) > constants().devices[DEVICE].memory_gib


@pytest.mark.parametrize("one", TIMED, ids=name)
def test_a_planned_step_is_near_the_published_one(one: Published) -> None:
    install()
    used = constants()
    planned = step_time(one.work(), used.devices[DEVICE], used.efficiency)
    assert one.step_s is not None
    assert 0.8 < planned.total_s / one.step_s < 1.35
    assert 0.3 < planned.mfu < 0.7
