"""Attention, Mamba-2 scan and causal convolution: torch references and the choice of fused twins."""
