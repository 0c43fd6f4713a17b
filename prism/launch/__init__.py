"""How the work of a node becomes processes: a fork of a warm server for one, torchrun for several."""

from prism.launch.forkserver import ForkserverLauncher
from prism.launch.local import TorchrunLauncher
from prism.launch.worker import Launcher, Worker

__all__ = ["ForkserverLauncher", "Launcher", "TorchrunLauncher", "Worker"]
