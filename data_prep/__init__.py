"""Indexed token blends from raw sources; stands alone, imports nothing of prism."""
