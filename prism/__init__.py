"""PRISM for Megatron: mid-training, RL and what they change, on one engine."""

__version__ = "0.2.0.dev0"
"""The one home of the version: pyproject.toml and `prism --version` read it here."""
