"""Our verifiers as a reward model of Aligner's: sequences in, rewards out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from data_prep.files import read_json
from prism.errors import BadInput
from prism.nemo.prompt_index import PromptIndex
from prism.nemo.prompts import Row, rows_of

if TYPE_CHECKING:
    from prism.prompts import PromptContract
    from prism.recipe.schema.rewards import RewardsConfig

log = logging.getLogger("prism.nemo")

Tokens = npt.NDArray[np.int64]
_SHOWN = 24


class RewardModel:
    """Knows the job's prompts, takes responses apart and has them judged.

    Args:
        prompts: text and row of each.
    """

    def __init__(self, prompts: Iterable[tuple[str, Row]], contract: PromptContract, rewards: RewardsConfig) -> None:
        self._contract = contract
        self._rewards = rewards
        self._index = PromptIndex((contract.encode_text(text), row) for text, row in prompts)
        if self._index.nested:
            log.warning(
                "%d prompts are the beginning of another: a response may look like its rest", self._index.nested
            )

    @classmethod
    def load(cls, folder: Path) -> RewardModel:
        """Of a job's folder, as `prism.nemo.job` writes it. Model-written code is contained as the recipe says.

        Raises:
            BadInput: a file is missing or damaged.
            PrismError: prompts need a sandbox, and none that the recipe wants works here.
        """
        from prism.prompts import PromptContract
        from prism.recipe.schema.rewards import RewardsConfig
        from prism.score import sandbox

        settings = read_json(folder / "rewards.json")
        contract = PromptContract.load(folder / "tokenizer.json", settings["end_of_document"])
        prompts = list(rows_of(folder / "prompts"))
        sandbox.configure(**settings["sandbox"])
        if any(row["verifier"]["kind"] == "code" for _, row in prompts):
            log.info("programs are contained by %s", sandbox.describe().tier)  # now, rather than in the first step
        return cls(prompts, contract, RewardsConfig.model_validate(settings["rewards"]))

    def __len__(self) -> int:
        """Prompts that it knows."""
        return len(self._index)

    def rewards_of(self, tokens: Tokens, lengths: Tokens) -> npt.NDArray[np.float32]:
        """Rewards, shape (B, 1), float32.

        Args:
            tokens: prompts with their responses, shape (B, S), zeros behind them.
            lengths: tokens of prompt and response, shape (B, 1).

        Raises:
            BadInput: shapes that don't fit, or a sequence that begins with none of the job's prompts.
        """
        from prism.score.rewards import Answered, judge

        items = []
        for sequence in _sequences(tokens, lengths):
            found = self._index.find(sequence)
            if found is None:
                raise self._unknown(sequence)
            response = sequence[found.length :]
            stopped = bool(response) and response[-1] in self._contract.stop_ids
            text = self._contract.decode_response(response, stopped)
            items.append(Answered(found.value, text, response, stopped))
        judged = judge(items, self._rewards)
        return np.array([[one.reward] for one in judged], dtype=np.float32).reshape(-1, 1)

    def _unknown(self, sequence: Sequence[int]) -> BadInput:
        text = self._contract.decode_response(sequence[:_SHOWN], False)
        return BadInput(
            f"a sequence begins with none of the job's {len(self._index)} prompts: {text!r} ...",
            place="rewards",
            remedy="the actor must read this job's prompts, with the tokenizer of the exported checkpoint and no BOS",
        )


def _sequences(tokens: Any, lengths: Any) -> list[list[int]]:
    """Rows without their padding."""
    tokens, lengths = np.asarray(tokens), np.asarray(lengths)
    if tokens.ndim != 2 or lengths.size != len(tokens):
        raise BadInput(
            f"tokens of shape {tokens.shape} with lengths of shape {lengths.shape}",
            place="rewards",
            remedy="send tokens (B, S) and sequence_lengths (B, 1)",
        )
    ends = lengths.reshape(-1)
    if len(ends) and (ends.min() < 1 or ends.max() > tokens.shape[1]):
        raise BadInput(
            f"lengths from {ends.min()} to {ends.max()} in rows of {tokens.shape[1]} tokens",
            place="rewards",
            remedy="lengths count prompt and response",
        )
    return [row[:end].tolist() for row, end in zip(tokens, ends, strict=True)]
