"""A process that fetches or copies: `python -m tests.data_prep.fetch.child fetch|copy HUB TARGET [FROM]`."""

from __future__ import annotations

import sys
from pathlib import Path

from data_prep.errors import UserError
from data_prep.fetch import FetchRequest, copy_source, fetch_source


def main(kind: str, hub: str, target: str, origin: str = "") -> None:
    request = FetchRequest("set", hub, licence="MIT")

    def log(line: str) -> None:
        print(line, flush=True)

    try:
        if kind == "copy":
            report = copy_source(request, Path(origin), Path(target), log=log)
        else:
            report = fetch_source(request, Path(target), log=log)
    except UserError as error:
        print(f"error: {error}")
        sys.exit(error.exit_code)
    print(f"moved {report.moved}")


if __name__ == "__main__":
    main(*sys.argv[1:])
