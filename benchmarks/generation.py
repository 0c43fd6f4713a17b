"""Generation, as RL, evaluation and the difficulty filter use it, against transformers on the same weights.

| ratio | ours over |
|---|---|
| equal_*_N_over_transformers | `generate` of transformers, N responses of one length |
| equal_*_N_over_bare_loop | a bare PyTorch loop with caches at the same sizes, the same N responses |
| ragged_*_over_transformers | the same `generate` in static batches of 64, 512 prompts, lognormal lengths |

Lengths are forced on every contender alike. transformers is given the weights that ours exports.
"""

from __future__ import annotations

import logging
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from _harness import Ratio, median_seconds, quick, report
from _plain import PlainModel
from _plain_hybrid import PlainHybrid
from _world import MEDIAN, World, drawn_lengths, generator, peer, prepared

from prism.generate.protocol import Request, Sampling
from prism.generate.sampling import sample_seed
from prism.megatron.parallel import Layout, process_groups

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SLOTS, WIDTH, LONGEST = 64, 20, 512


def main() -> None:
    small = quick()
    ratios: dict[str, Ratio] = {}
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as root, process_groups(Layout(), seed=1):
        for kind, name in (("dense", "miniature"), ("hybrid", "miniature_hybrid")):
            world = prepared(name, Path(root))
            for slots in (16, SLOTS):
                equal(kind, world, ratios, figures, (slots, 16 if small else MEDIAN), 1 if small else 9)
            ragged(kind, world, ratios, figures, (64, 16, 64) if small else (512, SLOTS, LONGEST), 1 if small else 2)
    report("generation", ratios, figures)


def equal(
    kind: str, world: World, ratios: dict[str, Ratio], figures: dict[str, Any], sizes: tuple[int, int], rounds: int
) -> None:
    """Args: sizes: responses, all of them of one length, and that length."""
    slots, new = sizes
    given = torch.randint(4, world.vocabulary, (slots, WIDTH), generator=torch.Generator().manual_seed(1))
    requests = [Request(prompt, sample_seed(number)) for number, prompt in enumerate(given.tolist())]
    ours, theirs = generator(world, slots), peer(world)
    bare = (PlainModel if kind == "dense" else PlainHybrid)(world.vocabulary).eval()
    long = given if kind == "dense" else given[:, -1:]  # the bare hybrid takes its prompt token by token: it gets one
    seconds = median_seconds(
        {
            "ours": lambda: ours.generate(requests, Sampling(1.0, 1.0, new, ())),
            "transformers": lambda: hf_generate(theirs, given, [new] * slots),
            "bare loop": lambda: bare.generate(long, new),
        },
        rounds,
    )
    speed = {name: slots * new / value for name, value in seconds.items()}
    figures |= {f"equal, {kind}, {slots}, {name}, tokens/s": round(value, 1) for name, value in speed.items()}
    ratios[f"equal_{kind}_{slots}_over_transformers"] = Ratio(speed["ours"] / speed["transformers"], 2.0)
    ratios[f"equal_{kind}_{slots}_over_bare_loop"] = Ratio(speed["ours"] / speed["bare loop"], 0.6)


def ragged(
    kind: str, world: World, ratios: dict[str, Ratio], figures: dict[str, Any], sizes: tuple[int, int, int], rounds: int
) -> None:
    """Many prompts over few slots, lengths of all kinds."""
    count, slots, longest = sizes
    lengths = drawn_lengths(count, longest)
    given = torch.randint(4, world.vocabulary, (count, WIDTH), generator=torch.Generator().manual_seed(2))
    requests = [
        Request(prompt, sample_seed(number), length)
        for number, (prompt, length) in enumerate(zip(given.tolist(), lengths, strict=True))
    ]
    ours, theirs = generator(world, slots), peer(world)

    def static() -> None:
        for start in range(0, count, slots):
            hf_generate(theirs, given[start : start + slots], lengths[start : start + slots])

    seconds = median_seconds(
        {"ours": lambda: ours.generate(requests, Sampling(1.0, 1.0, longest, ())), "transformers": static}, rounds
    )
    figures |= {f"ragged, {kind}, {name}, tokens/s": round(sum(lengths) / s, 1) for name, s in seconds.items()}
    figures["ragged, mean and longest length"] = [round(statistics.fmean(lengths), 1), max(lengths)]
    ratios[f"ragged_{kind}_over_transformers"] = Ratio(seconds["transformers"] / seconds["ours"], 5.0)


def hf_generate(model: PreTrainedModel, prompts: torch.Tensor, lengths: Sequence[int]) -> None:
    from transformers import StoppingCriteria, StoppingCriteriaList

    wanted, width = torch.tensor(lengths), prompts.shape[1]

    class Done(StoppingCriteria):  # type: ignore[misc]
        def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
            return wanted <= input_ids.shape[1] - width

    with torch.inference_mode():
        model.generate(
            input_ids=prompts,
            attention_mask=torch.ones_like(prompts),
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=max(lengths),
            pad_token_id=0,
            stopping_criteria=StoppingCriteriaList([Done()]),
        )


if __name__ == "__main__":
    os.environ |= {"PRISM_BACKEND": "cpu", "TOKENIZERS_PARALLELISM": "false"}
    logging.disable(logging.INFO)
    main()
