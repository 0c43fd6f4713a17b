"""Drives headless Chromium over its pipe (the DevTools protocol), without any package."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import BARE

_OWN = ("file:", "data:", "blob:", "about:")


class Tab:
    """A page of a browser: opens files and evaluates scripts.

    complaints: errors and warnings of the pages, their scripts and their policies since the tab is open.
    requests: what they asked the network for.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = os.fdopen(commands, "wb", buffering=0)
        self._answers = os.fdopen(answers, "rb")
        self._number = 0
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._session: str | None = None
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._send(f"{domain}.enable")

    def open(self, page: Path, width: int = 1440, height: int = 1200) -> None:
        """Returns when the page's load event has fired."""
        self._send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self._send("Page.navigate", url=page.as_uri())
        while self._read().get("method") != "Page.loadEventFired":
            pass

    def media(self, kind: str = "", scheme: str = "light") -> None:
        """From now on a page is for `print` or the screen, and its reader wants it `light` or `dark`."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._send("Emulation.setEmulatedMedia", media=kind, features=[feature])

    def picture(self, height: int | None = None) -> bytes:
        """PNG of the page from its top, as wide as it was opened; None: as high as the window."""
        clip = None
        if height is not None:
            width = self.run("innerWidth")
            clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        found = self._send("Page.captureScreenshot", **({"clip": clip, "captureBeyondViewport": True} if clip else {}))
        return base64.b64decode(found["data"])

    def pdf(self) -> bytes:
        """The page as it is printed, on A4."""
        size = {"paperWidth": 8.27, "paperHeight": 11.69}
        return base64.b64decode(self._send("Page.printToPDF", printBackground=True, **size)["data"])

    def run(self, script: str) -> Any:
        """The value of an expression, or what its promise comes to.

        Raises:
            AssertionError: it threw.
        """
        found = self._send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def _send(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            command["sessionId"] = self._session
        self._commands.write(json.dumps(command).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            pass
        assert "error" not in answer, answer["error"]
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "the browser has gone"
            text += byte
        found: dict[str, Any] = json.loads(text)
        self._note(found.get("method"), found.get("params", {}))
        return found

    def _note(self, method: str | None, said: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(said["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(said["args"]))
        elif method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.complaints.append(said["entry"]["text"])
        elif method == "Network.requestWillBeSent" and not said["request"]["url"].startswith(_OWN):
            self.requests.append(said["request"]["url"])


@contextmanager
def tab(folder: Path) -> Iterator[Tab]:
    """A tab of a browser of its own; skips the test where Chromium is absent."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium isn't installed (on Debian: apt-get install chromium)")
    from_us, commands = os.pipe()
    answers, to_us = os.pipe()
    # Chromium reads commands from descriptor 3 and answers on 4.
    shell = f'exec 50<&{from_us} 51>&{to_us}; exec "$@" 3<&50 4>&51'
    command = [
        "bash",
        "-c",
        shell,
        "bash",
        chromium,
        *BARE,
        f"--user-data-dir={folder / 'tab'}",
        "--remote-debugging-pipe",
    ]
    browser = subprocess.Popen(command, pass_fds=(from_us, to_us), stderr=subprocess.DEVNULL)
    os.close(from_us)
    os.close(to_us)
    try:
        yield Tab(commands, answers)
    finally:
        browser.kill()
        browser.wait()
