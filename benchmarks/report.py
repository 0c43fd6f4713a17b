"""How long a report takes to open: the miniature's page in Chromium at three widths, beside an empty page.

    python benchmarks/report.py [--quick]

Times are those that the browser gives: from the start of navigation to the load event, and to the first paint of
content. Each opening is in a browser of its own, so nothing of the page is cached in it. The page is that of
`runs/miniature` where it is there, else of a made-up run of as many steps. Needs Chromium.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _harness import Ratio, quick, report

ROOT = Path(__file__).parent.parent
WIDTHS = (390, 820, 1440)
_BOUND_S = 1.0
"""What a reader waits, at most."""
_BOUND_BYTES = 3_000_000
_STEPS, _RL_STEPS = 878, 30
_EMPTY = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Empty</title></head><body>.</body></html>'
_TIMES = """
new Promise((done) => {
  const told = (painted) => done([performance.getEntriesByType("navigation")[0].loadEventEnd / 1000, painted / 1000]);
  new PerformanceObserver((list) => told(list.getEntriesByName("first-contentful-paint")[0].startTime))
    .observe({ type: "paint", buffered: true });
})
"""


@contextmanager
def pages() -> Iterator[dict[str, Path]]:
    """The report and an empty page."""
    from prism.report import write_report
    from tests.report.made_up_run import write_miniature

    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.html"
        empty.write_text(_EMPTY)
        run = ROOT / "runs" / "miniature"
        if not (run / "report.html").is_file():
            run = Path(folder) / "made_up"
            write_miniature(run, _STEPS, _RL_STEPS)
            write_report(run)
        yield {"report": run / "report.html", "empty": empty}


def times(page: Path, width: int) -> tuple[float, float]:
    """Seconds to the load event and to the first paint, in a new browser."""
    from tests.report.devtools import tab

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, tab(Path(profile)) as opened:
        opened.open(page, width)
        load, paint = opened.run(_TIMES)
        return load, paint


def main() -> None:
    sys.path.insert(0, str(ROOT))
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        sys.exit("Chromium isn't installed. Remedy: on Debian, apt-get install chromium")
    rounds = 1 if quick() else 7
    figures: dict[str, float | str] = {}
    ratios: dict[str, Ratio] = {}
    with pages() as found:
        size = found["report"].stat().st_size
        times(found["empty"], WIDTHS[0])  # Chromium itself comes from the disk once
        for width in WIDTHS:
            taken: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
            for number in range(rounds):
                for name in found if number % 2 else reversed(found):
                    taken[name].append(times(found[name], width))
            load, paint = (statistics.median(each) for each in zip(*taken["report"], strict=True))
            floor = statistics.median(each for each, _ in taken["empty"])
            ratios[f"open_at_{width}_over_1_s"] = Ratio(max(load, paint) / _BOUND_S, 1.0, "at_most")
            figures |= {
                f"load_at_{width}_s": round(load, 3),
                f"first_paint_at_{width}_s": round(paint, 3),
                f"empty_page_at_{width}_s": round(floor, 3),
                f"slowest_load_at_{width}_s": round(max(each for each, _ in taken["report"]), 3),
            }
        figures["page"] = "made up" if found["report"].is_relative_to(tempfile.gettempdir()) else "runs/miniature"
    ratios["bytes_over_3_mb"] = Ratio(size / _BOUND_BYTES, 1.0, "at_most")
    report("report", ratios, {"bytes": size, "rounds": rounds, **figures})


if __name__ == "__main__":
    main()
