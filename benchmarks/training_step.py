"""A training step of the miniature through megatron-core, against a plain PyTorch loop on the same model and batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from _harness import Ratio, median_seconds, quick, report
from _plain import PlainModel

from prism.megatron.blend import SourceBatch
from prism.megatron.parallel import Layout, process_groups
from prism.megatron.trainee import Trainee
from prism.recipe import load_recipe
from prism.train.loss import REPORT, NextTokenLoss

VOCABULARY, SEQUENCES, LENGTH = 96, 16, 64


def main() -> None:
    steps, rounds = (3, 3) if quick() else (20, 7)
    recipe = load_recipe("miniature")
    tokens = torch.randint(0, VOCABULARY, (SEQUENCES, LENGTH + 1), generator=torch.Generator().manual_seed(1))
    inputs, labels = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    plain = PlainModel(VOCABULARY)
    adam = torch.optim.AdamW(plain.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)

    def plain_steps() -> None:
        for _ in range(steps):
            loss = F.cross_entropy(plain(inputs).view(-1, VOCABULARY), labels.view(-1))
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
            adam.step()

    with process_groups(Layout(), seed=1):
        trainee = Trainee(recipe.model, VOCABULARY, Layout(), recipe.midtrain.optimizer)
        trainee.initialise(1)
        batch = SourceBatch.whole(inputs, labels, torch.zeros(SEQUENCES, dtype=torch.long))
        loss = NextTokenLoss(1)

        def our_steps() -> None:
            for _ in range(steps):
                trainee.step([batch], loss, 1e-3, REPORT)

        seconds = median_seconds({"plain": plain_steps, "ours": our_steps}, rounds)
    speed = {name: steps * SEQUENCES * LENGTH / value for name, value in seconds.items()}
    figures = {f"{name} tokens/s": value for name, value in speed.items()}
    report("training_step", {"ours_over_plain_pytorch": Ratio(speed["ours"] / speed["plain"], 0.8)}, figures)


if __name__ == "__main__":
    main()
