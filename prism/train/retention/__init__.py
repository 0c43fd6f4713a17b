"""The retention gate: base skill measured while training. What it asks, and of what: docs/retention_gate.md."""

from prism.train.retention.gate import RetentionGate

__all__ = ["RetentionGate"]
