"""Where NeMo isn't installed a stage says so by name, before anything runs."""

from __future__ import annotations

import pytest

from prism.errors import UsageError
from prism.nemo.training.environment import check_nemo_for, has_nemo
from prism.recipe import load_recipe
from tests.nemo.training.made import recipe

pytestmark = pytest.mark.skipif(has_nemo(), reason="NeMo is installed here")


def test_the_error_names_stage_container_and_commands() -> None:
    with pytest.raises(UsageError, match="mid is trained by NeMo") as error:
        check_nemo_for(recipe("llama_3_1_8b", "midtrain.nemo.container=nemo:mine"), ["data", "mid"])
    assert "nemo:mine" in error.value.remedy and "prism launch" in error.value.remedy


def test_stages_of_this_packages_engine_need_none() -> None:
    check_nemo_for(recipe(), ["data", "report"])
    own = load_recipe("llama_3_1_8b/math")
    check_nemo_for(own, own.pipeline)
