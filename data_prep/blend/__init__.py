"""Blends of sources: forecast, order, lock."""
