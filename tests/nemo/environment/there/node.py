"""A stage as `python -m prism.pipeline.node` runs it, on a CPU: node.py RUN_DIRECTORY STAGE"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import prism.nemo.training.run as training
from prism.nemo.training.environment import require_nemo
from prism.pipeline.node import run_node
from tests.nemo.environment.there.cpu import for_cpu, without_cuda


def main() -> None:
    require_nemo()
    without_cuda()
    training.run_nemo_training = functools.partial(training.run_nemo_training, adjust=for_cpu)
    sys.exit(run_node(Path(sys.argv[1]), sys.argv[2]))


if __name__ == "__main__":
    main()
