"""Cached decoding from the Megatron model, against a plain PyTorch model with a cache, and against no cache at all."""

from __future__ import annotations

import torch
from _harness import Ratio, median_seconds, quick, report
from _plain import PlainModel

from prism.generate.megatron import MegatronLanguageModel
from prism.generate.protocol import Request, Sampling
from prism.megatron.build import build_model
from prism.megatron.forward import evaluation_mode, token_logprobs
from prism.megatron.initialise import initialise
from prism.megatron.parallel import Layout, process_groups
from prism.recipe import load_recipe

VOCABULARY, WIDTH = 96, 20


def main() -> None:
    prompts, new, rounds = (32, 12, 3) if quick() else (256, 40, 5)
    model = load_recipe("miniature").model
    given = torch.randint(0, VOCABULARY, (prompts, WIDTH), generator=torch.Generator().manual_seed(1))
    plain = PlainModel(VOCABULARY).eval()
    with process_groups(Layout(), seed=1):
        module = build_model(model, VOCABULARY, Layout(), "fp32")
        initialise(module, model, seed=1)
        ours = MegatronLanguageModel(module, VOCABULARY, model.max_position_embeddings)
        sampling = Sampling(1.0, 1.0, new, ())
        requests = [Request(prompt, seed) for seed, prompt in enumerate(given.tolist())]

        def uncached() -> None:
            with evaluation_mode(module) as bare:
                tokens = given
                for _ in range(new):
                    token_logprobs(bare, tokens)
                    tokens = torch.cat([tokens, tokens[:, :1]], 1)

        seconds = median_seconds(
            {
                "ours": lambda: ours.generate(requests, sampling),
                "plain": lambda: plain.generate(given, new),
                "uncached": uncached,
            },
            rounds,
        )
    speed = {name: prompts * new / value for name, value in seconds.items()}
    ratios = {
        "ours_over_plain_pytorch": Ratio(speed["ours"] / speed["plain"], 0.8),
        "ours_over_uncached": Ratio(speed["ours"] / speed["uncached"], 3.0),
    }
    report("rollout", ratios, {f"{name} tokens/s": value for name, value in speed.items()})


if __name__ == "__main__":
    main()
