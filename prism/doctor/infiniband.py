"""InfiniBand ports, as the kernel lists them in /sys/class/infiniband."""

from __future__ import annotations

from dataclasses import dataclass

from prism.doctor.machine import Machine
from prism.doctor.row import Row, Verdict


@dataclass(frozen=True)
class Port:
    """`rate` such as 400 Gb/sec (4X NDR); `layer` is InfiniBand or Ethernet (RoCE)."""

    device: str
    active: bool
    rate: str
    layer: str


def ports(machine: Machine) -> list[Port]:
    """Every port of every adapter."""
    found = []
    for folder in sorted((machine.root / "sys/class/infiniband").glob("*/ports/*")):
        place = f"/sys/class/infiniband/{folder.parts[-3]}/ports/{folder.name}"
        state = machine.read(f"{place}/state") or ""
        rate, layer = machine.read(f"{place}/rate") or "?", machine.read(f"{place}/link_layer") or "?"
        found.append(Port(folder.parts[-3], "ACTIVE" in state, rate, layer))
    return found


def infiniband(machine: Machine) -> Row:
    """Ports that are up."""
    all_ports = ports(machine)
    if not all_ports:
        remedy = "jobs of several nodes then talk over TCP; in a container mount /dev/infiniband"
        return Row("device", "infiniband", "none", Verdict.UNNEEDED, remedy)
    up = [port for port in all_ports if port.active]
    if not up:
        found = f"{len(all_ports)} ports, none of them up"
        return Row("device", "infiniband", found, Verdict.FAILS, "see `ibstat`; is the subnet manager running?")
    kinds = sorted({f"{port.rate} {port.layer}" for port in up})
    found = f"{len(up)} of {len(all_ports)} ports up: {', '.join(kinds)}"
    if (machine.root / "dev/infiniband").is_dir():
        return Row("device", "infiniband", found, Verdict.OK)
    remedy = "mount /dev/infiniband into the container: without it NCCL takes TCP"
    return Row("device", "infiniband", f"{found}; no /dev/infiniband", Verdict.SLOW, remedy)
