"""Granite 4 without experts: all attention (Micro), or Mamba-2 with a few attention layers (H-Micro).

A layer of the published model is a mixer (Mamba-2 or attention) and an MLP, each with its norm. In the hybrid they
are two layers of Megatron's pattern, `M-` or `*-`; the all-attention model has Megatron's transformer layers.
"""
