"""A real Slurm of a few small nodes, all on the loopback of this machine, for as long as it is needed.

python tests/slurm/small_slurm.py COMMAND ...      runs a command with it
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from prism.launch.child import die_with_parent

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "sinfo")
MAX_ARRAY_SIZE = 4

_STARTS_WITHIN_S = 60

_CONFIG = """
ClusterName=small
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.%n.log
PlugStackConfig={root}/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
MaxArraySize={max_array_size}
MinJobAge=300
KillWait=2
ReturnToService=2
PropagateResourceLimits=NONE
PartitionName=cpu Nodes=ALL Default=YES MaxTime=1440 State=UP
PartitionName=gpu Nodes=ALL MaxTime=1440 State=UP
"""
_NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} {size}{gres} Feature=h100 State=UNKNOWN\n"


def missing() -> list[str]:
    """Programs that aren't installed."""
    return [program for program in PROGRAMS if _find(program) is None]


class SmallSlurm(dict[str, str]):
    """The environment in which Slurm's commands find it, and what can be done to its nodes."""

    def __init__(self, environment: Mapping[str, str], daemons: ExitStack) -> None:
        super().__init__(environment)
        self._daemons = daemons
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start_node(self, node: str) -> None:
        self._running[node] = _start(self._daemons, self, "slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """As a power failure: its daemon and all that it runs are gone, and Slurm is told that it is down."""
        pids = subprocess.run(
            ["scontrol", "listpids"], env={**self, "SLURMD_NODENAME": node}, capture_output=True, text=True, check=False
        )
        self._running.pop(node).kill()
        for line in pids.stdout.splitlines()[1:]:
            with suppress(ProcessLookupError, ValueError):
                os.kill(int(line.split()[0]), signal.SIGKILL)
        subprocess.run(["scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=killed"], env=self, check=True)


@contextmanager
def small_slurm(
    count: int = 2, *, gpus: int = 0, plugin: Path | None = None, cores: int = 4, memory_mib: int = 8_000
) -> Iterator[SmallSlurm]:
    """Brings it up with `count` nodes; jobs and daemons end with it.

    Args:
        gpus: how many each node says it has; they are device files that do nothing.
        plugin: a SPANK plugin.
        cores, memory_mib: what each node says it has.
    """
    nodes = [f"n{number}" for number in range(1, count + 1)]
    size = f"CPUs={cores} RealMemory={memory_mib}"
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, ExitStack() as daemons:
        root = Path(folder)
        environment = {**os.environ, "SLURM_CONF": str(root / "slurm.conf")}
        _configure(root, nodes, size, gpus, plugin)
        _start(daemons, environment, *_munged(root))
        _until(lambda: (root / "munge.socket").exists(), root)
        _start(daemons, environment, "slurmctld", "-D", "-c")
        slurm = SmallSlurm(environment, daemons)
        for node in nodes:
            slurm.start_node(node)
        _until(lambda: _said(environment, "sinfo", "-h", "-o", "%T %D") == f"idle {count}", root)
        try:
            yield slurm
        finally:
            _said(environment, "scancel", f"--user={getpass.getuser()}")
            _until(lambda: not _said(environment, "squeue", "-h"), root)


def _configure(root: Path, nodes: Sequence[str], size: str, gpus: int, plugin: Path | None) -> None:
    root.chmod(0o755)  # munged insists that others can reach its socket
    host = socket.gethostname().partition(".")[0]
    settings = _CONFIG.format(
        root=root, host=host, user=getpass.getuser(), port=_free_port(), max_array_size=MAX_ARRAY_SIZE
    )
    gres = f" Gres=gpu:{gpus}" if gpus else ""
    lines = [_NODE.format(name=name, host=host, port=_free_port(), size=size, gres=gres) for name in nodes]
    (root / "slurm.conf").write_text("".join([*lines, settings, "GresTypes=gpu\n" if gpus else ""]))
    _make_gpus(root, nodes, gpus)
    (root / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
    (root / "plugstack.conf").write_text(f"required {plugin}\n" if plugin else "")
    (root / "state").mkdir()
    for node in nodes:
        (root / "spool" / node).mkdir(parents=True)
    key = root / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)


def _make_gpus(root: Path, nodes: Sequence[str], gpus: int) -> None:
    if not gpus:
        return
    for number in range(gpus):  # Slurm wants device files; these are /dev/null's
        os.mknod(root / f"gpu{number}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    files = f"{root}/gpu[0-{gpus - 1}]" if gpus > 1 else f"{root}/gpu0"
    (root / "gres.conf").write_text(f"NodeName={','.join(nodes)} Name=gpu File={files}\n")


def _munged(root: Path) -> list[str]:
    files = [f"--{what}-file={root}/munge.{what}" for what in ("key", "pid", "log", "seed")]
    return ["munged", "--foreground", "--force", f"--socket={root}/munge.socket", *files]


def _start(
    daemons: ExitStack, environment: Mapping[str, str], program: str, *arguments: str
) -> subprocess.Popen[bytes]:
    path = _find(program)
    assert path is not None, f"{program} isn't installed"
    process = subprocess.Popen(
        [path, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )
    daemons.callback(process.wait)
    daemons.callback(process.terminate)
    return process


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _said(environment: Mapping[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()


def _until(reached: Callable[[], bool], root: Path) -> None:
    end = time.monotonic() + _STARTS_WITHIN_S
    while not reached():
        if time.monotonic() > end:
            logs = [f"{log.name}:\n{log.read_text(errors='replace')[-2_000:]}" for log in sorted(root.glob("*.log"))]
            raise RuntimeError("Slurm isn't ready:\n" + "\n".join(logs))
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    with small_slurm(4) as surroundings:
        sys.exit(subprocess.run(sys.argv[1:], env=surroundings, check=False).returncode)
