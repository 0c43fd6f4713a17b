"""Generators: cached decoding from a Megatron model. Serves RL, evaluation, difficulty and analysis."""

from prism.generate.protocol import Generator, LanguageModel, Response, Sampling

__all__ = ["Generator", "LanguageModel", "Response", "Sampling"]
