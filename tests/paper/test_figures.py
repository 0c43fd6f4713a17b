"""The paper's tables as data."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from prism.errors import BadInput
from prism.paper import PaperTable, mixtures, paper_model, paper_models, paper_table, paper_tables
from prism.paper.reading import read

RECIPES = Path(__file__).parents[2] / "recipes"


def table(**changes: object) -> PaperTable:
    values = {"table": 99, "title": "Made up", "columns": {"lcb": "percent"}, "rows": [], **changes}
    return TypeAdapter(PaperTable).validate_python(values)


def test_a_figure_is_found_by_table_model_and_labels() -> None:
    pipeline = paper_table(11)
    row = pipeline.row("granite_3_3_8b", midtrain="math_code_science", rl="math_code")
    assert row is not None
    assert pipeline.value(row, "avg") == 41.76
    assert pipeline.columns["avg"] == "percent"
    assert pipeline.value(row, "lb_v1") is None
    assert pipeline.row("nemotron_h_8b", midtrain="none", rl="none") is None
    assert pipeline.row("granite_3_3_8b", midtrain="math_code_science") is None


def test_a_cell_that_the_paper_leaves_empty_stays_empty() -> None:
    confidence = paper_table(15)
    row = confidence.row("llama_3_1_8b", stage="base")
    assert row is not None
    assert confidence.value(row, "nll_correct") is None


def test_every_figure_is_of_a_known_model_and_can_be_one() -> None:
    for one in paper_tables().values():
        assert set(one.models()) <= set(paper_models())
        for row in one.rows:
            for column, unit in one.columns.items():
                value = one.value(row, column)
                assert value is None or 0 <= value <= {"percent": 100, "ratio": 1, "nats": 1}.get(unit, 7_680)


def test_the_base_to_mid_table_has_seven_models_before_and_after() -> None:
    assert len(paper_table(6).models()) == 7 == len(paper_models())
    assert [row.at["midtrain"] for row in paper_table(6).rows] == ["none", "math_code_science"] * 7


def test_the_unchanged_share_grows_with_the_threshold() -> None:
    for row in paper_table(22).rows:
        assert list(row.values) == sorted(row.values)  # type: ignore[type-var]


@pytest.mark.parametrize("model", paper_models())
def test_models_are_those_of_the_packaged_recipes(model: str) -> None:
    recipe = yaml.safe_load((RECIPES / "models" / f"{model}.yaml").read_text())
    base = recipe["pipeline"]["base"]["with"]
    assert base["hub"] == paper_models()[model].hub
    assert paper_model(base["hub"], base["path"]) == model == paper_model(None, base["path"])


def test_other_weights_are_none_of_the_papers() -> None:
    assert paper_model("meta-llama/Llama-3.1-70B", "models/llama_3_1_8b") is None
    assert paper_model(None, "models/llama_3_1_8b_mine") is None
    assert paper_model(None, None) is None


def test_mixtures_sum_to_a_hundred_and_name_sources_with_tokens() -> None:
    made_of = mixtures()
    for weights in made_of.weights.values():
        assert sum(weights.values()) == pytest.approx(100)
        assert set(weights) <= set(made_of.tokens.sources)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rows": [{"model": "mistral_7b", "at": {}, "values": [1, 2]}]}, "has 2 figures, not 1"),
        ({"rows": [{"model": "mistral_7b", "at": {}, "values": [1]}] * 2}, "is there twice"),
        ({"rows": [{"model": "mistral_7b", "at": {}, "values": [1]}], "columns": {"lcb": "points"}}, "percent"),
        ({"rows": [{"model": "mistral_7b", "values": [1]}]}, "at"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        table(**changes)


@pytest.mark.parametrize("text", ["table: [", "table: 6\n"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    damaged = tmp_path / "table_06.yaml"
    damaged.write_text(text)
    with pytest.raises(BadInput, match=str(damaged)):
        read(damaged, PaperTable)
