"""What keeps two checkpoints from being merged, by name, before anything is written; and what is only noted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from prism.errors import PrismError
from prism.longcontext.folders import plan_merge
from prism.models.convert import find_checkpoint, hf_to_megatron
from tests.longcontext import made
from tests.models.tiny import VOCABULARY

Edit = Callable[[Path], object]
WORDS = {f"w{number}": number for number in range(VOCABULARY)}


def config(**changes: object) -> Edit:
    def edit(folder: Path) -> None:
        values = {**json.loads((folder / "config.json").read_text()), **changes}
        (folder / "config.json").write_text(
            json.dumps({key: value for key, value in values.items() if value != "gone"})
        )

    return edit


def tensors(**changes: torch.Tensor | None) -> Edit:
    """Sets or removes tensors; double underscores in names stand for dots."""

    def edit(folder: Path) -> None:
        found = made.tensors_of(folder)
        for name, tensor in changes.items():
            found.pop(name.replace("__", "."), None)
            if tensor is not None:
                found[name.replace("__", ".")] = tensor
        made.write(folder, found, 3)

    return edit


def tokens(vocabulary: dict[str, int], added: dict[str, int] | None = None, **rest: object) -> Edit:
    return lambda folder: made.tokenizer(folder, vocabulary, added, **rest)


def both(*edits: Edit) -> Edit:
    return lambda folder: [edit(folder) for edit in edits]


TALLER = torch.zeros(108, 64).bfloat16()
REFUSED: dict[str, tuple[Edit, str]] = {
    "a tensor is missing": (
        tensors(model__layers__1__mlp__up_proj__weight=None),
        "trained lacks model.layers.1.mlp.up_proj.weight, which base has. Remedy: merge two checkpoints of one model",
    ),
    "a tensor too many": (
        tensors(model__layers__0__self_attn__q_norm__weight=torch.ones(16).bfloat16()),
        "base lacks model.layers.0.self_attn.q_norm.weight, which trained has",
    ),
    "another shape": (
        tensors(model__layers__0__mlp__up_proj__weight=torch.zeros(100, 64).bfloat16()),
        "model.layers.0.mlp.up_proj.weight is 96x64 in base, 100x64 in trained",
    ),
    "another vocabulary": (
        tensors(model__embed_tokens__weight=TALLER),
        "the vocabularies differ: model.embed_tokens.weight has 100 rows in base, 108 in trained",
    ),
    "another vocabulary, as stated": (config(vocab_size=108), "vocab_size is 100 in base, 108 in trained"),
    "tied": (
        both(config(tie_word_embeddings=True), tensors(lm_head__weight=None)),
        "trained shares its output layer with the embedding, base has one of its own",
    ),
    "tied by its tensors": (
        both(config(tie_word_embeddings="gone"), tensors(lm_head__weight=None)),
        "trained shares its output layer with the embedding, base has one of its own",
    ),
    "other heads": (
        config(num_attention_heads=8, head_dim=8),
        "the models differ: head_dim is 16 in base, 8 in trained; num_attention_heads is 4 in base, 8 in trained",
    ),
    "another norm": (config(rms_norm_eps=1e-6), "norm_epsilon is 1e-05 in base, 1e-06 in trained"),
    "another family": (
        config(model_type="mistral", architectures=["MistralForCausalLM"], rope_scaling=None),
        "the models differ: family is llama in base, mistral in trained",
    ),
    "a family that isn't known": (
        config(model_type="gpt_neox", hidden_act="gelu"),
        "the models differ: hidden_act is silu in base, gelu in trained; model_type is llama in base",
    ),
    "tokens at other ids": (
        tokens({**WORDS, "w3": 4, "w4": 3}),
        "the tokenizers differ: id 3 is 'w3' in base, 'w4' in trained. Remedy: merge checkpoints of one tokenizer",
    ),
    "a token that moved": (
        tokens({"new" if word == "w7" else word: number for word, number in WORDS.items()} | {"w7": 7 + 100}),
        "the tokenizers differ: id 7 is 'w7' in base, 'new' in trained",
    ),
    "a shard is missing": (lambda folder: next(folder.glob("*2-of*.safetensors")).unlink(), "is missing"),
    "a shard is cut short": (lambda folder: os.truncate(next(folder.glob("*2-of*.safetensors")), 3_000), "not a whole"),
    "no weights": (lambda folder: [file.unlink() for file in folder.glob("*.safetensors*")], "neither"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused_by_name_before_anything_is_written(what: str, tmp_path: Path) -> None:
    spoil, message = REFUSED[what]
    base, trained = made.hf(tmp_path / "base", 1), made.hf(tmp_path / "trained", 2)
    spoil(trained)
    with pytest.raises(PrismError) as caught:
        plan_merge(base, trained, tmp_path / "out", 0.15)
    assert message in str(caught.value)
    assert "Remedy: " in str(caught.value)
    assert caught.value.exit_code == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "trained"]


NOTED: dict[str, tuple[Edit, list[str]]] = {
    "nothing": (lambda folder: None, []),
    "keys that say how to run": (config(use_cache=False, eos_token_id=7, transformers_version="5.0"), []),
    "a default that is spelled out": (config(head_dim=None, attention_bias=False, pad_token_id=0), []),
    "longer context": (
        config(rope_theta=5e6, max_position_embeddings=131_072),
        [
            "max_position_embeddings is 80 in base, 131072 in trained; the result has trained's",
            "rope_base is 500.0 in base, 5000000.0 in trained; the result has trained's",
        ],
    ),
    "named spare rows": (
        tokens({word: number for word, number in WORDS.items() if number < 98}, {"<think>": 98, "</think>": 99}),
        [
            "the tokenizers' added tokens differ ('<think>', '</think>'); the result has trained's",
            "the tokenizers have 100 and 98 ordinary tokens",
        ],
    ),
    "another split": (
        tokens(WORDS, normalizer={"type": "NFC"}),
        ["the tokenizers split text by different rules; the result has trained's"],
    ),
    "no tokenizer": (
        lambda folder: (folder / "tokenizer.json").unlink(),
        ["no tokenizer.json in both: whether ids mean the same tokens wasn't compared"],
    ),
    "another type": (
        lambda folder: made.write(folder, {name: t.half() for name, t in made.tensors_of(folder).items()}, 3),
        ["base is bfloat16 where trained is float16; the result has trained's"],
    ),
    "buffers of an old release": (tensors(model__layers__0__self_attn__rotary_emb__inv_freq=torch.ones(8)), []),
}


@pytest.mark.parametrize("what", NOTED)
def test_what_does_no_harm_is_noted(what: str, tmp_path: Path) -> None:
    edit, notes = NOTED[what]
    base, trained = made.hf(tmp_path / "base", 1), made.hf(tmp_path / "trained", 2)
    edit(trained)
    assert plan_merge(base, trained, tmp_path / "out", 0.15).notes == notes


def no_config(step: Path) -> None:
    for file in (step / "hf").iterdir():
        file.unlink()


def flip_a_byte(step: Path) -> None:
    with max(step.glob("*.distcp"), key=lambda path: path.stat().st_size).open("r+b") as file:
        file.seek(40_000)
        byte = file.read(1)
        file.seek(40_000)
        file.write(bytes([byte[0] ^ 1]))


def cut_short(step: Path) -> None:
    os.truncate(max(step.glob("*.distcp"), key=lambda path: path.stat().st_size), 1_000)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut_short, "is cut short. Remedy: copy the checkpoint again"),
        (flip_a_byte, "has another checksum"),
        (lambda step: next(step.glob("__0_0.distcp")).unlink(), "is missing"),
        (lambda step: (step / ".metadata").unlink(), "no torch_dist checkpoint"),
    ],
)
def test_a_damaged_megatron_checkpoint_is_refused(spoil: Edit, message: str, tmp_path: Path) -> None:
    for side, seed in (("base", 1), ("trained", 2)):
        hf_to_megatron(made.hf(tmp_path / "hf" / side, seed), tmp_path / side)
    spoil(find_checkpoint(tmp_path / "trained"))
    with pytest.raises(PrismError) as caught:
        plan_merge(tmp_path / "base", tmp_path / "trained", tmp_path / "out", 0.15)
    assert message in str(caught.value)
    assert caught.value.exit_code == 4


def test_padding_is_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for side, seed in (("base", 1), ("trained", 2)):
        hf_to_megatron(made.hf(tmp_path / "hf" / side, seed), tmp_path / side, megatron_lm=True)
        monkeypatch.setattr("prism.formats.megatron_keys.VOCABULARY_MULTIPLE", 32)
    with pytest.raises(PrismError, match=r"104 rows in base, 128 in trained; which of them are padding isn't known"):
        plan_merge(tmp_path / "base", tmp_path / "trained", tmp_path / "out", 0.15)
