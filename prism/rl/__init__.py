"""The RL stage: difficulty filter, rollouts, GRPO."""

from prism.rl.difficulty import run_difficulty
from prism.rl.stage import run_rl

__all__ = ["run_difficulty", "run_rl"]
