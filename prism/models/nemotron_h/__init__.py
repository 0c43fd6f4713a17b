"""Nemotron-H: Mamba-2, attention and MLP layers in a pattern, each with its own norm and residual."""
