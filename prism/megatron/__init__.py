"""The only room that touches megatron.core: process groups, model build, optimizer, steps, checkpoints.

Importing it chooses the backend first (see `prism.megatron.backend`), because megatron-core calls
CUDA at import time and in constructors.
"""

from prism.megatron.backend import install

install()
