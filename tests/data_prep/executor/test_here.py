"""`prism data prepare` on this machine, and what an executor makes of options and logs. Needs neither Slurm nor Ray."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.errors import DataError, DiskFull, UsageError
from data_prep.executor import Executor
from data_prep.executor.failure import says_why, task_failure, task_log
from data_prep.executor.options import read_options
from data_prep.steps.rows import Render
from tests.data_prep.executor.workplace import Workplace, make_workplace, spoil

TRACEBACK = """2026-01-01 | INFO     | datatrove: Launching pipeline for rank=1
2026-01-01 | ERROR    | datatrove: it failed
Traceback (most recent call last):

  File "steps.py", line 3, in run
    raise error
          └ DataError('raw/web.jsonl:7: ...')

{raised}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    return make_workplace(tmp_path_factory.mktemp("place"), 1)


def test_one_source_is_prepared_by_itself_and_the_rest_later(place: Workplace) -> None:
    code, said = place.prepare("parts", "--source", "small")
    assert code == 0, said
    assert not (place.data("parts") / "blends").exists()
    assert {name for name in place.made("parts") if name.startswith("sources/web")} == set()
    code, said = place.prepare("parts", "--workers", "1")
    assert code == 0, said
    assert "small: unchanged" in said
    assert {"sources/small.card.json", "sources/web.card.json", "blends/all.lock.json"} <= place.made("parts").keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--source", "smal"), "no source 'smal'. Remedy: use small, web"),
        (("--option", "partition=cpu"), "add --executor slurm or ray"),
        (("--executor", "slurm", "--option", "requeue=perhaps"), "requeue is true or false, not 'perhaps'"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(place: Workplace, arguments: tuple[str, ...], words: str) -> None:
    code, said = place.prepare("refused", *arguments)
    assert code == 2, said
    assert words in said
    assert not place.data("refused").exists()


def test_a_row_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    place = make_workplace(tmp_path, 1)
    spoil(place)
    code, said = place.prepare("bad", "--workers", "2")
    assert code == 4, said
    assert "raw/web.jsonl:" in said.splitlines()[-1]


def test_sbatchs_own_options_are_passed_on_and_ours_have_their_types() -> None:
    own, others = read_options("slurm", {"mem-per-cpu-gb": "3", "time": "60", "account": "lab", "exclusive": ""})
    assert (own["mem_per_cpu_gb"], own["time"], own["qos"]) == (3, "60", "")
    assert others == {"account": "lab", "exclusive": ""}


def test_a_missing_slurm_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="isn't here"):
        Executor("slurm").run("x", [Render({})], 1, tmp_path / "stage")


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        ("data_prep.errors.DataError: web:7: bad. Remedy: mend it", DataError, "web:7: bad. Remedy: mend it"),
        ("data_prep.errors.DiskFull: /data: full. Remedy: free it", DiskFull, "/data: full. Remedy: free it"),
        ("ValueError: no number", DataError, "ValueError: no number. Remedy: read the log"),
        ("KeyError", DataError, "KeyError. Remedy: read the log"),
    ],
)
def test_a_failure_is_the_error_at_the_end_of_the_first_log_that_has_one(
    tmp_path: Path, raised: str, kind: type[Exception], text: str
) -> None:
    task_log(tmp_path, 1).parent.mkdir()
    task_log(tmp_path, 0).write_text("2026-01-01 | INFO     | datatrove: Launching pipeline for rank=0\n")
    task_log(tmp_path, 1).write_text(TRACEBACK.format(raised=raised))
    assert says_why(tmp_path, [0, 1])
    assert not says_why(tmp_path, [0])
    error = task_failure(tmp_path, [0, 1], tasks=5)
    assert type(error) is kind
    assert f"logs/task_00001.log: 2 of 5 tasks failed: {text}" in str(error)
