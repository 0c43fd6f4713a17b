"""Mistral: LLaMA's layers, with a sliding window (7B v0.1) or heads wider than hidden_size / heads (Small-24B)."""
