"""Which of NeMo's checkpoints a stage's own is made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prism.errors import BadInput
from prism.nemo.training.run import newest_checkpoint, steps_done, write_tokenizer


def checkpoint(folder: Path, name: str) -> Path:
    (folder / name / "weights").mkdir(parents=True)
    (folder / name / "weights" / ".metadata").touch()
    return folder / name


def test_the_latest_step_counts_whenever_it_was_written(tmp_path: Path) -> None:
    checkpoint(tmp_path, "step=99-last")
    latest = checkpoint(tmp_path, "step=100")
    checkpoint(tmp_path, "step=9")
    (tmp_path / "step=100-last").symlink_to(latest)
    assert newest_checkpoint(tmp_path) == latest
    assert steps_done(tmp_path) == 101


def test_unfinished_checkpoints_do_not_count(tmp_path: Path) -> None:
    whole = checkpoint(tmp_path, "step=2")
    checkpoint(tmp_path, "step=5")
    (tmp_path / "step=5-unfinished").touch()
    (tmp_path / "step=8" / "weights").mkdir(parents=True)
    assert newest_checkpoint(tmp_path) == whole


def test_no_checkpoint_is_an_error_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="left no checkpoint"):
        newest_checkpoint(tmp_path)
    assert steps_done(tmp_path) == 0


def test_the_end_of_a_document_is_no_padding(tmp_path: Path) -> None:
    """Else GPTDataset would leave its loss out."""
    (tmp_path / "tokenizer.json").write_text("{}")
    write_tokenizer(tmp_path / "tokenizer.json", "<end>", tmp_path / "folder")
    config = json.loads((tmp_path / "folder" / "tokenizer_config.json").read_text())
    assert config["eos_token"] == "<end>" and "pad_token" not in config
