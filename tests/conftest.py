"""What every test runs with: one thread a process, no thread pool of the tokenizer, the CPU."""

from __future__ import annotations

import os
import re
import signal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

# Set before torch is imported anywhere: OpenMP reads them once. Processes that tests start inherit them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("PRISM_BACKEND", "cpu")

from hypothesis import settings

settings.register_profile("prism", deadline=None)  # a busy machine is no failure
settings.load_profile("prism")

# A shell's background jobs begin with interrupts ignored, and so would all that tests start: commands, Slurm's daemons.
signal.signal(signal.SIGINT, signal.default_int_handler)

_MARK = re.compile(r"""xdist_group\("(\w+)"\)""")


@cache
def _group(file: str) -> str | None:
    found = _MARK.search(Path(file).read_text()) if Path(file).is_file() else None
    return found and found[1]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of modules with one `xdist_group` go to one process, which makes what they share once.

    xdist 3.8 has this as --dist loadgroup, but marks groups in a field that pytest 9.2 no longer reads.
    """
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler.loadscope import LoadScopeScheduling  # type: ignore[import-untyped]

    class Together(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid.partition("::")[0]) or nodeid

    return Together(config, log)
