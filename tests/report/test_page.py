import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from prism.report import write_report
from prism.report.page import PAPER
from tests.report import made_up_run

SECTIONS = (
    "claims chain blends training evaluation retention rl samples weights cka landscape time recipe artifacts"
).split()
BYTES_AT_MOST = 2_000_000


class Page(HTMLParser):
    """Collects ids, links, addresses that a browser would load, and the text of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.pieces: list[str] = []
        self.source = file.read_text()
        self.feed(self.source)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id" and value:
                self.ids.append(value)
            elif name in ("href", "src", "srcset", "action", "data", "poster") and value:
                (self.links if tag == "a" else self.loads).append(value)

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.pieces))


@pytest.fixture(scope="module")
def page(miniature_run: Path) -> Page:
    return Page(miniature_run / "report.html")


def test_the_page_loads_nothing_and_links_only_to_itself_and_the_paper(page: Page) -> None:
    assert page.loads == ["data:,"]
    assert {link for link in page.links if not link.startswith("#")} == {PAPER}
    assert "url(" not in page.source and "@import" not in page.source and "fetch(" not in page.source


def test_every_section_is_there_and_every_contents_entry_leads_to_one(page: Page) -> None:
    inside = [link[1:] for link in page.links if link.startswith("#") and not link.startswith("#file/")]
    assert inside[: len(SECTIONS)] == SECTIONS
    assert set(inside) <= set(SECTIONS)
    assert set(SECTIONS) <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)


def test_the_page_reads_without_a_script(page: Page) -> None:
    for expected in (
        "The base model solves next to nothing.",
        "holds",
        "Beside this chain 7 more stages vary",
        "No prompt was longer than the model's context",
        "math_code_science",
    ):
        assert expected in page.text
    assert "Not run" not in page.text


def test_trace_noise_and_a_sampled_gain_are_stated_plainly(page: Page) -> None:
    assert "each step of a reasoning trace is wrong with probability 0.25" in page.text
    assert "sampled pass rate goes from 40.2 to 59.9% (+19.7 points)" in page.text
    assert "Greedy decoding is about flat" in page.text


def test_a_run_that_has_only_a_recipe_says_what_was_not_run(tmp_path: Path) -> None:
    made_up_run.write_recipe(tmp_path, {"run": {"name": "bare"}, "pipeline": {"base": {"stage": "pretrain"}}})
    page = Page(write_report(tmp_path))
    assert page.text.count("Not run:") == 9
    assert "The recipe makes no claims." in page.text


def test_prompts_longer_than_the_context_are_counted(tmp_path: Path) -> None:
    made_up_run.write_recipe(tmp_path, {"pipeline": {"base": {"stage": "pretrain"}}})
    made_up_run.write_generation(tmp_path, "base", "math", 0.1, greedy=0.1, skipped=37)
    page = Page(write_report(tmp_path))
    assert "Prompts longer than the model's context were skipped" in page.text
    assert "generate 300 37" in page.text


def test_text_of_a_model_cannot_become_markup(tmp_path: Path) -> None:
    made_up_run.write_recipe(tmp_path, {"run": {"name": "<b>x</b>"}, "pipeline": {"<i>s": {"stage": "pretrain"}}})
    source = write_report(tmp_path).read_text()
    assert "<b>x</b>" not in source and "<i>s" not in source
    assert "&lt;b&gt;x&lt;/b&gt;" in source


def test_a_long_run_stays_a_small_page(tmp_path: Path) -> None:
    made_up_run.write_miniature(tmp_path, steps=5_000, rl_steps=1_000)
    assert write_report(tmp_path).stat().st_size < BYTES_AT_MOST


def test_the_same_results_give_the_same_page(miniature_run: Path) -> None:
    first = (miniature_run / "report.html").read_bytes()
    assert write_report(miniature_run).read_bytes() == first
