"""A step's rollouts on disk before the step trains on them, so that a run that is killed trains on the same ones again.

Weights and random streams would give the same responses again, but a verifier's verdict can depend on the clock, and an
engine of its own need not answer the same way twice. A step is a file `step_00000012.safetensors`:

| tensor | shape | what |
|---|---|---|
| tokens, logprobs | (all response tokens,) | int32, float32: of the responses, end to end |
| lengths | (responses,) | int64 |
| stopped, correct, formatted | (responses,) | bool |
| versions | (responses,) | int64: of the policy that drew the response |
| terms | (responses, terms) | float64: the reward terms |

Its metadata holds the number of prompts of each round of draws, a fingerprint of each prompt, the terms' names and the
answers that were judged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from data_prep.files import fingerprint, write_bytes
from prism.errors import BadInput
from prism.generate.protocol import Response
from prism.prompts import PromptContract
from prism.rl.prompts import RlPrompt
from prism.rl.rollout import Rollout
from prism.score.rewards import Judged
from prism.score.verdict import Verdict

_VERSION = 1


class Journal:
    """The journalled steps of an RL stage, in a folder of its own. The first rank writes and reads it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, step: int, rounds: Sequence[int], rollouts: Sequence[Rollout]) -> None:
        """Returns when the step is on disk.

        Args:
            rounds: prompts that each round of draws took.
            rollouts: of all of them, groups contiguous, in the order of the draws.
        """
        names = sorted({name for rollout in rollouts for name in rollout.judged.terms})
        terms = [[rollout.judged.terms.get(name, 0.0) for name in names] for rollout in rollouts]
        tensors = {
            "tokens": torch.tensor([t for r in rollouts for t in r.response.tokens], dtype=torch.int32),
            "logprobs": torch.tensor([p for r in rollouts for p in r.response.logprobs], dtype=torch.float32),
            "lengths": torch.tensor([len(r.response.tokens) for r in rollouts]),
            "stopped": torch.tensor([r.response.stopped for r in rollouts]),
            "versions": torch.tensor([r.response.policy_version for r in rollouts]),
            "correct": torch.tensor([r.judged.verdict.correct for r in rollouts]),
            "formatted": torch.tensor([r.judged.verdict.formatted for r in rollouts]),
            "terms": torch.tensor(terms, dtype=torch.float64).view(len(rollouts), len(names)),
        }
        said = {
            "version": _VERSION,
            "rounds": list(rounds),
            "terms": names,
            "prompts": [prompt_name(rollout.prompt) for rollout in rollouts],
            "answers": [rollout.judged.verdict.answer for rollout in rollouts],
        }
        write_bytes(self._path(step), save(tensors, {"journal": json.dumps(said)}))

    def read(self, step: int) -> JournalledStep | None:
        """What was journalled of the step, if it was.

        Raises:
            BadInput: the file is damaged, or of another version.
        """
        path = self._path(step)
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as stored:
                said = json.loads(stored.metadata()["journal"])
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  not a dict
            version = said["version"]
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise BadInput(
                f"the journal can't be read ({error})", place=str(path), remedy="remove it: the step is sampled anew"
            ) from None
        if version != _VERSION:
            raise BadInput(
                f"a journal of version {version}, this release reads {_VERSION}",
                place=str(path),
                remedy="finish the run with the release that began it, or remove the file: the step is sampled anew",
            )
        return JournalledStep(path, tuple(said["rounds"]), said, tensors)

    def forget_until(self, step: int) -> None:
        """Removes steps that a checkpoint holds."""
        for path in self._folder.glob("step_*.safetensors"):
            if int(path.stem.removeprefix("step_")) <= step:
                path.unlink(missing_ok=True)

    def _path(self, step: int) -> Path:
        return self._folder / f"step_{step:08d}.safetensors"


@dataclass(frozen=True)
class JournalledStep:
    """A step as it was journalled. `rounds`: prompts that each round of draws took."""

    path: Path
    rounds: tuple[int, ...]
    said: dict[str, Any]
    tensors: dict[str, Tensor]

    def rollouts(self, prompts: Sequence[RlPrompt], contract: PromptContract) -> list[Rollout]:
        """The rollouts of `prompts`, which the sampler has drawn again, round after round.

        Raises:
            BadInput: the journal is of other prompts.
        """
        lengths = self.tensors["lengths"].tolist()
        repeated = [prompt for prompt in prompts for _ in range(len(lengths) // max(len(prompts), 1))]
        if self.said["prompts"] != [prompt_name(prompt) for prompt in repeated]:
            raise BadInput(
                "the journalled step is of other prompts than the run draws",
                place=str(self.path),
                remedy="restore the prompt sets that the run began with, or remove the file: the step is sampled anew",
            )
        encoded = contract.encode_prompts([prompt.question for prompt in prompts])
        tokens, logprobs = (self.tensors[name].split(lengths) for name in ("tokens", "logprobs"))
        plain = {name: self.tensors[name].tolist() for name in ("stopped", "versions", "correct", "formatted", "terms")}
        found = []
        for index, prompt in enumerate(repeated):
            response = Response(
                tuple(tokens[index].tolist()),
                tuple(logprobs[index].tolist()),
                plain["stopped"][index],
                plain["versions"][index],
            )
            verdict = Verdict(plain["correct"][index], plain["formatted"][index], self.said["answers"][index])
            terms = dict(zip(self.said["terms"], plain["terms"][index], strict=True))
            text = contract.decode_response(response.tokens, response.stopped)
            group = index // (len(repeated) // len(prompts))
            judged = Judged(verdict, terms, response.stopped)
            found.append(Rollout(prompt, tuple(encoded[group]), response, text, judged))
        return found


def prompt_name(prompt: RlPrompt) -> str:
    return fingerprint([prompt.domain, prompt.question, dict(prompt.row)])
