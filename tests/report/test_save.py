"""A chart's data as a table, and its files: what the buttons make, in a real browser."""

from __future__ import annotations

import base64
import csv
import io
from pathlib import Path

from tests.report.devtools import tab

_PRESS = """(async () => {
  const found = [];
  let enough;
  const all = new Promise((done) => { enough = done; });
  URL.createObjectURL = (blob) => { found.push([blob]); return "data:,"; };
  HTMLAnchorElement.prototype.click = function () {
    found.at(-1).push(this.download);
    if (found.length === 3) enough();
  };
  const figure = document.querySelector("figure:has(svg.lines)");
  const data = figure.querySelector("details.data");
  data.open = true;
  for (const button of figure.querySelectorAll("[data-save]")) button.click();
  await all;
  const files = {};
  for (const [blob, name] of found) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    files[name] = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }
  const cells = [...data.querySelectorAll("tr")].map((row) => [...row.cells].map((cell) => cell.textContent));
  return { files, cells };
})()"""


def test_a_chart_has_its_values_as_table_csv_svg_and_png(miniature_run: Path, tmp_path: Path) -> None:
    with tab(tmp_path) as page:
        page.open(miniature_run / "report.html")
        made = page.run(_PRESS)
    files = {name: base64.b64decode(text) for name, text in made["files"].items()}
    assert {Path(name).suffix for name in files} == {".csv", ".svg", ".png"}
    (stem,) = {Path(name).stem for name in files}

    rows = list(csv.reader(io.StringIO(files[f"{stem}.csv"].decode())))
    assert rows[0][0] == "step" and len(rows) > 10
    assert all(len(row) == len(rows[0]) for row in rows)
    assert made["cells"] == rows

    picture = files[f"{stem}.svg"].decode()
    assert picture.startswith("<svg") and "var(--" not in picture and "rgb(" in picture
    assert files[f"{stem}.png"].startswith(b"\x89PNG")
    assert len(files[f"{stem}.png"]) > 10_000
    (tmp_path / "chart.png").write_bytes(files[f"{stem}.png"])
