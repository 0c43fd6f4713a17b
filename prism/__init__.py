"""PRISM for Megatron: mid-training, RL and what they change, on one engine."""

__version__ = "0.1.0"
