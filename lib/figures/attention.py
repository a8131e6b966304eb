"""What the cross-level attention of 2D-GAN weighs: its maps in (0, 1) for a given image."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from lib.data.tensors import to_bytes, to_device, to_unit
from lib.figures.style import TEXT_WIDTH, show_grey
from lib.networks.attention import CrossLevelAttention

COLOURS = "cividis"  # the same to the colour-blind, and rising in grey


@torch.no_grad()
def attention_weights(
    generator: nn.Module, degraded: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The enhanced images, bytes (N, H, W), and each level's weights (N, C, h, w), finest first.

    `degraded`: grey bytes (N, H, W). Raises ValueError for a network without cross-level attention.
    """
    modules = [module for module in generator.modules() if isinstance(module, CrossLevelAttention)]
    if not modules:
        raise ValueError("this network has no cross-level attention to look at; C4 and C5 have")
    levels: list[np.ndarray] = []

    def keep(module: CrossLevelAttention, inputs: tuple[torch.Tensor, ...]) -> None:
        levels.append(module.weights(*inputs).cpu().numpy())

    handles = [module.register_forward_pre_hook(keep) for module in modules]
    training, device = generator.training, next(generator.parameters()).device
    try:
        enhanced = to_bytes(generator.eval()(to_unit(to_device(degraded, device))))
    finally:
        generator.train(training)
        for handle in handles:
            handle.remove()
    return enhanced, sorted(levels, key=lambda weights: -weights.shape[-1])


def most_varied_channels(weights: np.ndarray, count: int) -> list[int]:
    """Those channels of (C, h, w) whose weights differ most from place to place."""
    spread = weights.var(axis=(1, 2))
    return [int(k) for k in np.argsort(-spread, kind="stable")[:count]]


def attention_maps(generator: nn.Module, degraded: np.ndarray, title: str) -> Figure:
    """For each image of `degraded`, (N, H, W) bytes: input, output and difference, and by level
    the mean weight over channels and the two channels that vary most over the image.

    The means of all levels share one colour scale, from their least to their greatest; the single
    channels share 0 to 1.
    """
    enhanced, levels = attention_weights(generator, degraded)
    columns = 1 + len(levels)
    size = (TEXT_WIDTH - 0.7) / columns
    figure, grid = plt.subplots(
        3 * len(degraded), columns, squeeze=False,
        figsize=(TEXT_WIDTH, 3 * len(degraded) * (size + 0.22) + 0.35),
    )  # fmt: skip
    means = [weights.mean(axis=1) for weights in levels]
    limits = min(mean.min() for mean in means), max(mean.max() for mean in means)
    for k, image in enumerate(degraded):
        axes = grid[3 * k : 3 * k + 3]
        show_grey(axes[0, 0], image, "input")
        show_grey(axes[1, 0], enhanced[k], "output")
        change = enhanced[k].astype(int) - image
        show_grey(axes[2, 0], change // 2 + 128, "output − input, halved")
        for column, (weights, mean) in enumerate(zip(levels, means), start=1):
            side = "{}×{}".format(*mean.shape[1:])
            of_all = f"{side}, mean of {weights.shape[1]} ch."
            shown = _map(axes[0, column], mean[k], limits, of_all)
            for row, channel in enumerate(most_varied_channels(weights[k], 2), start=1):
                single = _map(axes[row, column], weights[k, channel], (0, 1),
                              f"{side}, channel {channel}")  # fmt: skip
        figure.colorbar(shown, ax=axes[0, -1], label="mean weight", shrink=0.9)
        figure.colorbar(single, ax=list(axes[1:, -1]), label="weight", shrink=0.9)
    figure.suptitle(title)
    return figure


def _map(axes, weights: np.ndarray, limits: tuple[float, float], title: str):
    shown = axes.imshow(weights, cmap=COLOURS, vmin=limits[0], vmax=limits[1])  # pixels as squares
    axes.set_title(title)
    axes.set_axis_off()
    return shown
