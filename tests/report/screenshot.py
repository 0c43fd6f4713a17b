"""Takes a picture of a run's report: python -m tests.report.screenshot RUN_DIR OUT.png [WIDTH] [HEIGHT] [light|dark]"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.report.devtools import tab


def screenshot(page: Path, out: Path, width: int = 1440, height: int = 1400, scheme: str = "light") -> None:
    """Writes a PNG of the top of a page, in pixels."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, tab(Path(profile)) as opened:
        opened.media(scheme=scheme)
        opened.open(page, width, height)
        out.write_bytes(opened.picture(height))


def main() -> None:
    if len(sys.argv) not in range(3, 7):
        sys.exit(__doc__)
    run, out, *rest = sys.argv[1:]
    sizes = [int(number) for number in rest[:2]]
    screenshot(Path(run).resolve() / "report.html", Path(out), *sizes, *rest[2:])


if __name__ == "__main__":
    main()
