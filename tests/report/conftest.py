"""A whole made-up run, written once."""

from pathlib import Path

import pytest

from prism.report import write_report
from tests.report.made_up_run import write_miniature


@pytest.fixture(scope="session")
def miniature_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory of eleven stages, with its report."""
    run = tmp_path_factory.mktemp("runs") / "miniature"
    write_miniature(run)
    write_report(run)
    return run
