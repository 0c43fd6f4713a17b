"""Granite 3: LLaMA's layers with multipliers of embeddings, residual writes, attention scores and logits."""
