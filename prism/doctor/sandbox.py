"""What contains programs that a model wrote."""

from __future__ import annotations

from prism.doctor.machine import Machine
from prism.doctor.row import Row, Verdict


def sandbox(machine: Machine) -> Row:
    """The tier that works here."""
    if machine.version("torch") is None:
        return Row("system", "sandbox", "not looked for without the engine", Verdict.UNNEEDED, "see the row torch")
    from prism.errors import PrismError
    from prism.score.sandbox import describe

    try:
        state = describe()
    except PrismError as error:
        return Row("system", "sandbox", "none works here", Verdict.UNNEEDED, error.remedy or error.message)
    return Row("system", "sandbox", f"{state.tier}: {state.reason}", Verdict.OK)
