"""`prism doctor --gpu-smoke`: in minutes, whether one device computes, trains and resumes as it should."""

from __future__ import annotations

from prism.doctor.smoke.run import smoke

__all__ = ["smoke"]
