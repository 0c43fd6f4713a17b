"""Where the steps run: on this machine, on Slurm, or on Ray, through datatrove's executors."""

from data_prep.executor.run import Executor

__all__ = ["Executor"]
