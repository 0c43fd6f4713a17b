"""Opens a page in headless Chromium and tells what went wrong, without any package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_CONSOLE = re.compile(r"CONSOLE[:(]\d+\)?\]\s*(?P<message>.*)")
_OWN = ("file:", "data:", "blob:", "about:", "chrome:", "devtools:", "chrome-extension:")

BARE = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
"""Options of a browser that does nothing by itself and resolves no name."""


@dataclass(frozen=True)
class Visit:
    """`console`: what the page, its script or its policy complained of. `requests`: what it asked the network for."""

    dom: str
    console: tuple[str, ...]
    requests: tuple[str, ...]


def open_page(page: Path, folder: Path, *, width: int = 1440) -> Visit:
    """Loads `page` from disk with a network on which no name resolves; skips the test where Chromium is absent.

    Args:
        folder: for the browser's profile, the log of its network stack and a screenshot (screenshot_<width>.png).
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium isn't installed (on Debian: apt-get install chromium)")
    network_log = folder / "network.json"
    common = [chromium, *BARE, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},1200"]
    logged = [*common, "--enable-logging=stderr", "--v=0", f"--log-net-log={network_log}", "--virtual-time-budget=2000"]
    done = subprocess.run(
        [*logged, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    picture = [*common, f"--screenshot={folder / f'screenshot_{width}.png'}", page.as_uri()]
    subprocess.run(picture, capture_output=True, timeout=120, check=True)
    console = tuple(match["message"] for match in map(_CONSOLE.search, done.stderr.splitlines()) if match)
    return Visit(done.stdout, console, _requests(network_log, page.as_uri()))


def _requests(log: Path, page: str) -> tuple[str, ...]:
    """URLs that the page itself asked for: the browser's own calls have no page as initiator."""
    found = set()
    for event in json.loads(log.read_text())["events"]:
        params = event.get("params", {})
        url, initiator = str(params.get("url", "")), str(params.get("initiator", ""))
        if url and not url.startswith(_OWN) and initiator.startswith(("file:", "null", "http")):
            found.add(url)
    return tuple(sorted(found))
