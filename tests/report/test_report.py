"""The report and the claims, on a made-up run and in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from prism.errors import BadInput, RecipeError
from prism.report import write_report
from prism.report.claims import check_claims
from prism.report.figures import Figures
from prism.report.results import load_results


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("src", "href") and tag != "a" and value:
                self.loaded.append(value)


def test_the_page_loads_nothing_from_elsewhere(miniature_run: Path) -> None:
    page = (miniature_run / "report.html").read_text()
    links = _Links()
    links.feed(page)
    assert all(link.startswith("data:") for link in links.loaded)
    assert "url(" not in page and "@import" not in page
    assert len(page) < 2_000_000


def test_every_section_is_there(miniature_run: Path) -> None:
    page = (miniature_run / "report.html").read_text()
    for section in ("claims", "chain", "blends", "training", "evaluation", "rl", "samples", "weights", "cka", "recipe"):
        assert f'id="{section}"' in page
    assert page.count("<svg") > 15


def test_a_claim_without_a_threshold_neither_holds_nor_fails(miniature_run: Path) -> None:
    summary = json.loads((miniature_run / "summary.json").read_text())
    claims = {claim["name"]: claim for claim in summary["claims"]}
    assert claims["same_footprint"]["holds"] is None
    assert isinstance(claims["rl_lifts"]["value"], float)


def test_a_pass_rate_is_the_mean_over_domains_in_percent(miniature_run: Path) -> None:
    figures = Figures(load_results(miniature_run))
    domains = [figures.pass_rate("mid", domain) for domain in ("math", "code", "science")]
    assert figures.pass_rate("mid") == pytest.approx(sum(domains) / 3)
    assert figures.spread("mid", "mid") == 0


def test_a_stage_that_was_not_run_is_said_not_guessed(miniature_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(miniature_run, run)
    shutil.rmtree(run / "stages" / "rl")
    claims = {claim.name: claim for claim in check_claims(load_results(run))}
    assert claims["rl_lifts"].value is None and claims["rl_lifts"].holds is None
    assert claims["rl_lifts"].reason is not None and "rl" in claims["rl_lifts"].reason
    write_report(run)


def test_a_wrong_name_in_a_claim_is_an_error_with_the_nearest(miniature_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(miniature_run, run)
    recipe = run / "recipe.yaml"
    recipe.write_text(re.sub(r"pass_rate\('mid'\)", "pass_rate('midd')", recipe.read_text(), count=1))
    if "midd" not in recipe.read_text():
        recipe.write_text(recipe.read_text().replace('pass_rate("mid")', 'pass_rate("midd")', 1))
    with pytest.raises(RecipeError, match="did you mean mid"):
        check_claims(load_results(run))


def test_a_damaged_file_is_named(miniature_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(miniature_run, run)
    damaged = next((run / "stages" / "mid" / "evaluate").glob("*.json"))
    damaged.write_text("{")
    with pytest.raises(BadInput, match=damaged.name):
        load_results(run)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no run here"):
        write_report(tmp_path)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium isn't installed (apt-get install chromium)")
def test_a_browser_opens_it_without_error_or_request(miniature_run: Path, tmp_path: Path) -> None:
    picture, log = tmp_path / "page.png", tmp_path / "network.json"
    done = subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
            "--v=0", "--disable-background-networking", "--disable-component-update", "--no-first-run",
            f"--log-net-log={log}", "--window-size=1280,2400", f"--screenshot={picture}",
            (miniature_run / "report.html").resolve().as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    assert picture.stat().st_size > 50_000
    requested = set(re.findall(r'"url":"(https?://[^"]+)"', log.read_text()))
    assert not {url for url in requested if "google" not in url and "gvt1" not in url}
