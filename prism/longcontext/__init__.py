"""Long-context restoration: merge with the base, then train on longer sequences (paper section 8.1)."""
