"""Responses from vLLM servers over HTTP, and weights that are pushed to them (docs/howto/vllm.md).

Speaks to vLLM 0.33. Nothing here imports vLLM, which lives in an environment of its own.
"""

from prism.generate.vllm.asking import Patience
from prism.generate.vllm.generator import VllmGenerator

__all__ = ["Patience", "VllmGenerator"]
