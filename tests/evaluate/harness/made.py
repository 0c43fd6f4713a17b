"""A tiny LLaMA with a tokenizer of real text, the data of the tasks beside it, and what the harness's own model finds.

made.py ROOT DATA    writes ROOT/hf, ROOT/data, which has all that the tasks read, ROOT/tasks, which read there, and
                     ROOT/found.hf.json. In a process of its own: ours stands in for CUDA calls.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from tests.evaluate.harness.observed import observe

VOCABULARY, CONTEXT = 500, 128
_SHAPE: dict[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "vocab_size": VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<{{ message['role'] }}> {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def make_tokenizer(folder: Path, texts: list[str]) -> None:
    """Byte-level BPE that begins every text with <s>, as LLaMA's does."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>"]
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=special, initial_alphabet=alphabet)
    )
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)]),
        ]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "</s>",
        "chat_template": _TEMPLATE,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def make_model(folder: Path) -> Any:
    torch.manual_seed(5)
    config = transformers.LlamaConfig(**_SHAPE, architectures=["LlamaForCausalLM"], tie_word_embeddings=False)
    model = transformers.LlamaForCausalLM(config).float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:  # small logits: the other side adds up in float32, and must not lose 1e-4 by it
                parameter.normal_(0, (0.5 if name == "lm_head.weight" else 1.5) * parameter.shape[-1] ** -0.5)
    model.save_pretrained(folder)
    return model


def rows(path: Path, count: int) -> list[dict[str, Any]]:
    return [json.loads(line) for _, line in zip(range(count), path.open(), strict=False)]


def write(path: Path, made: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in made))


def continuations(model: Any, tokenizer: Any, questions: list[str]) -> list[dict[str, str]]:
    """Half of them what the model says greedily, as far as it is text that reads back as the same tokens."""
    made = []
    for number, question in enumerate(questions):
        text = "" if number % 5 == 0 else question
        context = tokenizer.encode(text) if text else [tokenizer.bos_token_id]
        said = model.generate(
            torch.tensor([context]), attention_mask=torch.ones(1, len(context)), max_new_tokens=2, do_sample=False
        )[0].tolist()
        continuation = tokenizer.decode(said[len(context) :])
        if number % 2 or tokenizer.encode(text + continuation)[-2:] != said[-2:]:
            continuation = " therefore"
        made.append({"context": text, "continuation": continuation})
    return made


def main() -> None:
    root, data = map(Path, sys.argv[1:])
    folder, made = root / "hf", root / "data"
    folder.mkdir(parents=True)
    play = (data / "shakespeare" / "input.txt").read_text()
    stem = rows(data / "mmlu_stem" / "test.jsonl", 40)
    solved = rows(data / "gsm8k" / "test.jsonl", 60)
    make_tokenizer(folder, [play[:60_000], *(row["question"] + row["answer"] for row in solved)])
    model, tokenizer = make_model(folder), transformers.AutoTokenizer.from_pretrained(folder)
    write(made / "mmlu_stem" / "test.jsonl", stem)
    write(made / "gsm8k" / "test.jsonl", solved[:20])
    write(made / "gsm8k" / "train.jsonl", solved[20:])
    write(made / "plays.jsonl", [{"text": play[start : start + 260]} for start in range(0, 8_000, 500)])
    write(made / "continuations.jsonl", continuations(model, tokenizer, [row["question"][:90] for row in solved[:40]]))
    names = random.Random(3)
    pronouns = [
        {
            "sentence": f"{row['question'][:60].strip()} and then _ {row['answer'][:50].strip()}",
            "option1": names.choice(["Natalia", "Weng", "Betty"]),
            "option2": names.choice(["the clerk", "a reader", "his sister"]),
            "answer": names.randrange(2),
        }
        for row in solved[:20]
    ]
    write(made / "pronouns.jsonl", pronouns)
    truths = [{"question": row["question"][:100], "answers": row["choices"], "labels": [1, 0, 1, 0]} for row in stem]
    write(made / "truths.jsonl", truths)
    (root / "tasks").mkdir()
    for path in Path(__file__).with_name("tasks").glob("local_*"):
        (root / "tasks" / path.name).write_text(path.read_text().replace("{data}", str(made)))
    arguments = {"pretrained": str(folder), "dtype": "float32"}
    observe("hf", root, "hf", model_args=arguments, batch_size=4, device="cpu")


if __name__ == "__main__":
    main()
