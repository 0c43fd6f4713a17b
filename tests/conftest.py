"""What every test runs with: one thread a process, no thread pool of the tokenizer, the CPU."""

from __future__ import annotations

import os

# Set before torch is imported anywhere: OpenMP reads them once. Processes that tests start inherit them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("PRISM_BACKEND", "cpu")

from hypothesis import settings

settings.register_profile("prism", deadline=None)  # a busy machine is no failure
settings.load_profile("prism")
