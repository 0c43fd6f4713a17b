"""What contains programs that a model wrote: namespaces, or Landlock; limits; a system-call filter."""

from prism.score.sandbox.pool import Pool
from prism.score.sandbox.server import ForkServer, Outcome, Refused, ServerDied
from prism.score.sandbox.tiers import SandboxState, configure, describe, pool, used

__all__ = [
    "ForkServer",
    "Outcome",
    "Pool",
    "Refused",
    "SandboxState",
    "ServerDied",
    "configure",
    "describe",
    "pool",
    "used",
]
