"""Mistral's weight map: LLaMA's names and shapes."""

from prism.models.llama.weights import weight_map

__all__ = ["weight_map"]
