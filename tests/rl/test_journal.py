"""What a journal gives back is what was sampled and judged, to the last bit; anything else is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.files import write_json
from prism.errors import BadInput
from prism.generate.protocol import Response
from prism.prompts import PromptContract
from prism.rl.journal import Journal
from prism.rl.prompts import RlPrompt
from prism.rl.rollout import Rollout
from prism.score.rewards import Judged
from prism.score.verdict import Verdict


@pytest.fixture
def contract(tmp_path: Path) -> PromptContract:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit

    words = ["<eos>", "<unk>", "one", "two", "three", "\n"]
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return PromptContract.load(tmp_path / "tokenizer.json")


PROMPTS = [RlPrompt("math", "one two", {"answer": 1}), RlPrompt("code", "three", {"answer": "é"}, 1, 16)]


def rollouts(contract: PromptContract) -> list[Rollout]:
    made = []
    for number, prompt in enumerate(PROMPTS):
        for sample in range(2):
            stopped = sample == 0
            tokens = (2, 3, 0) if stopped else (4,) * (number + 1)
            response = Response(tokens, tuple(-0.1 / (n + 3) for n in range(len(tokens))), stopped, number)
            response = Response(tokens, tuple(float_32(value) for value in response.logprobs), stopped, number)
            judged = Judged(Verdict(stopped, True, "1" if stopped else None), {"correct": 1 / 3, "stop": -0.1}, stopped)
            encoded = tuple(contract.encode_prompt(prompt.question))
            made.append(Rollout(prompt, encoded, response, contract.decode_response(tokens, stopped), judged))
    return made


def float_32(value: float) -> float:
    import struct

    return float(struct.unpack("f", struct.pack("f", value))[0])


def test_a_step_comes_back_as_it_was(tmp_path: Path, contract: PromptContract) -> None:
    journal, made = Journal(tmp_path / "journal"), rollouts(contract)
    journal.write(7, [2], made)
    found = journal.read(7)
    assert found is not None and found.rounds == (2,)
    assert found.rollouts(PROMPTS, contract) == made
    assert journal.read(8) is None


def test_a_journal_of_other_prompts_is_refused(tmp_path: Path, contract: PromptContract) -> None:
    journal = Journal(tmp_path)
    journal.write(1, [2], rollouts(contract))
    found = journal.read(1)
    assert found is not None
    with pytest.raises(BadInput, match="other prompts"):
        found.rollouts(PROMPTS[::-1], contract)


def test_a_damaged_journal_is_refused_with_its_place(tmp_path: Path, contract: PromptContract) -> None:
    journal = Journal(tmp_path)
    journal.write(1, [2], rollouts(contract))
    (file,) = tmp_path.glob("step_*.safetensors")
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(BadInput, match="can't be read") as caught:
        journal.read(1)
    assert str(file) in str(caught.value)


def test_steps_that_a_checkpoint_holds_are_forgotten(tmp_path: Path, contract: PromptContract) -> None:
    journal = Journal(tmp_path)
    for step in (1, 2, 3):
        journal.write(step, [2], rollouts(contract))
    write_json(tmp_path / "other.json", {})
    journal.forget_until(2)
    assert [journal.read(step) is None for step in (1, 2, 3)] == [True, True, False]
