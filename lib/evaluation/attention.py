"""What the cross-level attention of 2D-GAN weighs: its maps in (0, 1) for given images."""

import numpy as np
import torch
from torch import nn

from lib.data.tensors import to_device, to_unit
from lib.networks.attention import CrossLevelAttention

SHOWN = 2  # channels of each level, besides the mean of all


@torch.no_grad()
def attention_weights(generator: nn.Module, degraded: np.ndarray) -> list[np.ndarray]:
    """Each level's weights (N, C, h, w) for grey bytes (N, H, W), finest level first.

    Empty for a network without cross-level attention; C4 and C5 have it.
    """
    modules = [module for module in generator.modules() if isinstance(module, CrossLevelAttention)]
    levels: list[np.ndarray] = []

    def keep(module: CrossLevelAttention, inputs: tuple[torch.Tensor, ...]) -> None:
        levels.append(module.weights(*inputs).cpu().numpy())

    handles = [module.register_forward_pre_hook(keep) for module in modules]
    training, device = generator.training, next(generator.parameters()).device
    try:
        if modules:
            generator.eval()(to_unit(to_device(degraded, device)))
    finally:
        generator.train(training)
        for handle in handles:
            handle.remove()
    return sorted(levels, key=lambda weights: -weights.shape[-1])


def most_varied_channels(weights: np.ndarray, count: int) -> list[int]:
    """Those channels of (C, h, w) whose weights differ most from place to place."""
    spread = weights.var(axis=(1, 2))
    return [int(k) for k in np.argsort(-spread, kind="stable")[:count]]


def drawn_maps(generator: nn.Module, degraded: np.ndarray) -> dict[str, np.ndarray]:
    """What `lib.figures.images` draws of the attention, to be stored with a run.

    For each level k, finest first: `mean_k` (N, h, w), the mean over channels; `channels_k`
    (N, SHOWN), those that vary most, and `maps_k` (N, SHOWN, h, w), their weights; float16.
    """
    found = {}
    for k, weights in enumerate(attention_weights(generator, degraded)):
        chosen = np.array([most_varied_channels(one, SHOWN) for one in weights])
        maps = np.take_along_axis(weights, chosen[..., None, None], axis=1)
        found |= {f"mean_{k}": weights.mean(axis=1).astype(np.float16), f"channels_{k}": chosen,
                  f"maps_{k}": maps.astype(np.float16)}
    return found
