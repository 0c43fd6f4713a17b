"""Kills RL at random moments with SIGKILL, as chaos.py does training: while it samples, journals, updates, saves."""

from __future__ import annotations

from _harness import quick
from chaos import RL_SETUPS, RL_STEPS, main, prepare_environment

if __name__ == "__main__":
    prepare_environment()
    main("chaos_rl", RL_SETUPS, RL_STEPS, kills=1 if quick() else 7)
