"""Generators: cached decoding from a Megatron model, or an engine of its own.

Serves RL, evaluation, difficulty and analysis.
"""

from prism.generate.protocol import Generator, LanguageModel, Request, Response, Sampling

__all__ = ["Generator", "LanguageModel", "Request", "Response", "Sampling"]
