"""What a machine has, and whether it is enough for a use or a recipe: one row a check, with its remedy."""

from __future__ import annotations

from prism.doctor.examine import examine
from prism.doctor.machine import Machine
from prism.doctor.needs import USES, Needs, needs_of
from prism.doctor.row import Row, Verdict, held_to

__all__ = ["USES", "Machine", "Needs", "Row", "Verdict", "examine", "held_to", "needs_of"]
