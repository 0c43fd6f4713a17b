"""`prism data inspect`, `stats` and `verify`, run as processes on a small prepared recipe."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.index import IndexedFile

SMALL = Path(__file__).parents[2] / "pipeline" / "small.yaml"
RECIPE = f"""
extends: {SMALL}
data:
  sources:
    evil: {{path: EVIL, reader: text, licence: generated}}
pipeline:
  packed: {{stage: midtrain, from: base, with: {{packing: best_fit, micro_batch_size: 1}}}}
"""


def prism(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "prism.cli", "data", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


def output(*arguments: str, cwd: Path) -> str:
    done = prism(*arguments, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recipe.yaml and runs/miniature/data as `prism data prepare` leaves it."""
    folder = tmp_path_factory.mktemp("look")
    (folder / "evil.txt").write_text("\x1b[2Jred \u202eevil\x07 end")
    (folder / "recipe.yaml").write_text(RECIPE.replace("EVIL", str(folder / "evil.txt")))
    done = prism("prepare", "recipe.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_documents_are_shown_with_their_end_and_the_pieces_of_packs_parted(prepared: Path) -> None:
    arguments = ("recipe.yaml", "--source", "math", "--source", "math.pack-64", "--count", "3")
    shown = output("inspect", *arguments, cwd=prepared)
    assert len(re.findall(r"^── math, document \d+\nQ calc .*</think> \d<eos>$", shown, re.MULTILINE)) == 3
    packs = shown.split("── math.pack-64, document ")[1:]
    assert len(packs) == 3
    assert any("<eos>\n──── boundary ────\nQ calc" in pack for pack in packs)
    assert output("inspect", *arguments, cwd=prepared) == shown
    assert output("inspect", *arguments, "--seed", "2", cwd=prepared) != shown


def test_rows_of_a_stage_are_shown_as_training_takes_them(prepared: Path) -> None:
    together = output("inspect", "recipe.yaml", "--stage", "mid", "--row", "16", "--count", "2", cwd=prepared)
    titles = re.findall(r"^── row (\d+), step (\d+): (\w+), its sample \d+; (.*)$", together, re.MULTILINE)
    assert [title[:2] for title in titles] == [("16", "2"), ("17", "2")]
    assert {title[3] for title in titles} == {"documents see each other; 64 of 64 labels count"}
    rows = together.split("── row ")[1:]
    assert all(row.splitlines()[1].startswith("‹") and row.count("‹") == 1 for row in rows)

    packed = output("inspect", "recipe.yaml", "--stage", "packed", "--count", "4", cwd=prepared)
    for row in packed.split("── row ")[1:]:
        count = re.search(r"documents apart; (\d+) of 64 labels count", row)
        padding = re.search(r"‹<eos>(?: ×(\d+) )?›", row)
        pieces = row.count("boundary") + 1
        padded = int(padding[1] or 1) if padding else 0
        # each piece but the padding has a first token that nothing predicts
        assert count is not None and int(count[1]) == 64 - padded - (pieces - bool(padding))
        assert row.count("‹") == pieces


def test_long_samples_are_cut(prepared: Path) -> None:
    shown = output("inspect", "recipe.yaml", "--source", "math", "--count", "1", "--characters", "20", cwd=prepared)
    assert len(shown.splitlines()[1]) == len("Q calc 2 ; s1 + 4 ; …") + 1


def test_what_a_source_says_cannot_reach_the_terminal(prepared: Path) -> None:
    shown = output("inspect", "recipe.yaml", "--source", "evil", cwd=prepared)
    assert "\\x1b[2Jred \\u202eevil\\x07 end<eos>" in shown
    raw = output("inspect", "recipe.yaml", "--source", "evil", "--raw", cwd=prepared)
    assert "\x1b[2Jred \u202eevil\x07 end<eos>" in raw


def test_statistics_are_those_of_the_files(prepared: Path) -> None:
    shown = output("stats", "recipe.yaml", "--source", "math", "--source", "math.pack-64", cwd=prepared)
    file = IndexedFile(prepared / "runs" / "miniature" / "data" / "sources" / "math")
    documents = [tuple(file[index].tolist()) for index in range(len(file))]
    repeated = len(documents) - len(set(documents))
    assert re.match(
        rf"math: {len(documents)} documents, {file.tokens:,} tokens, \d\.\d\d bytes a token; "
        rf"{repeated} documents repeat an earlier one\n",
        shown,
    )
    assert f"{min(map(len, documents))} to {max(map(len, documents))}; " in shown
    assert re.search(rf"^math\.pack-64: \d+ documents in {len(documents)} sequences", shown, re.MULTILINE)


def test_verification_passes_what_is_whole_and_leaves_with_4_for_what_is_not(prepared: Path, tmp_path: Path) -> None:
    shown = output("verify", "recipe.yaml", cwd=prepared)
    assert {line.split()[0] for line in shown.splitlines()} == {"source", "pack", "lock", "order"}

    shutil.copytree(prepared, tmp_path / "copy")
    path = tmp_path / "copy" / "runs" / "miniature" / "data" / "sources" / "song.bin"
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    done = prism("verify", "recipe.yaml", cwd=tmp_path / "copy")
    assert done.returncode == 4
    (error,) = done.stderr.splitlines()
    assert "2 of " in error and "damaged: source song, lock base" in error
    assert "song.bin: the file changed between bytes 0 and " in done.stdout
    assert "source math: " in done.stdout


def test_pairs_of_others_are_verified_by_their_path(prepared: Path) -> None:
    sources = prepared / "runs" / "miniature" / "data" / "sources"
    prefixes = ("--prefix", str(sources / "math"), "--prefix", str(sources / "song.idx"))
    assert len(output("verify", "recipe.yaml", *prefixes, cwd=prepared).splitlines()) == 2
    done = prism("verify", "recipe.yaml", *prefixes, "--prefix", "nowhere", cwd=prepared)
    assert done.returncode == 4
    assert "1 of 3 damaged: pair nowhere" in done.stderr
    unprepared = output("verify", "miniature", *prefixes[:2], cwd=prepared.parent)
    assert "range of tokens not checked, no tokenizer" in unprepared


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("inspect", "recipe.yaml", "--stage", "midd"),
            2,
            "--stage: no training stage midd. Remedy: did you mean mid?",
        ),
        (
            ("inspect", "recipe.yaml", "--stage", "mid", "--row", "160"),
            2,
            "--row: no row 160. Remedy: mid has rows 0 to",
        ),
        (("stats", "recipe.yaml", "--source", "maths"), 2, "--source: no source maths. Remedy: did you mean math?"),
        (("verify", "miniature", "--set", "run.name=other"), 4, "tokenizer.json: the tokenizer is missing. Remedy: "),
        (("stats", "miniature", "--set", "run.name=other"), 4, "general: no .bin/.idx pair. Remedy: "),
    ],
)
def test_what_is_not_there_is_named_in_one_line(
    prepared: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = prism(*arguments, cwd=prepared)
    assert done.returncode == code
    (error,) = done.stderr.splitlines()
    assert said in error
