"""The exponential moving average of a generator's weights: the network that tables judge.

After the last step of a GAN the weights stand where the last few batches left them, and results
jump by more than a dB from one step to the next; their average does not. The papers say nothing of
either; the last weights are stored and judged beside the average.
"""

import copy

import torch
from torch import nn

DECAY = 0.999  # at most: 0.994 after 1,500 steps, 0.9978 after 4,000, 0.999 from 8,990 on


def average_of(generator: nn.Module) -> nn.Module:
    """A copy that `follow` keeps at the average."""
    return copy.deepcopy(generator).requires_grad_(False)


@torch.no_grad()
def follow(average: nn.Module, generator: nn.Module, step: int) -> None:
    """Take the weights after `step` (1, 2, ...) into the average.

    a <- d a + (1 - d) w with d = min(DECAY, (1 + step) / (10 + step)), so that a short run forgets
    its random start as well. Batch norm's statistics are no weights: `Recipe.prepare` sets them.
    """
    decay = min(DECAY, (1 + step) / (10 + step))
    for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
        mean.lerp_(weight, 1 - decay)
