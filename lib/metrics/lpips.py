"""Learned perceptual image patch similarity (Zhang et al., CVPR 2018), version 0.1."""

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lib.metrics.byte_images import batches, check_bytes
from lib.networks.weights import resolve

TAPS = (1, 4, 7, 9, 11)  # the five ReLUs in torchvision's `features` that are compared
# LPIPS's own constants, ImageNet's mean and deviation on [-1, 1]
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
SMALLEST = 32  # pixels; below, AlexNet runs out of them


def lpips(images: np.ndarray, references: np.ndarray) -> np.ndarray:
    """LPIPS of each image to its reference: 0 for the same, higher is less alike; mostly below 1.

    Not reported by either paper. It is here because PSNR and SSIM punish a sharp image that is
    slightly off more than a blurred one. With f_l the features after AlexNet's l-th tapped ReLU,
    scaled to length 1 at each position, and w_l >= 0 weights fitted to human judgements (Eq. 1
    there; AlexNet is the authors' default for measuring):

        d(x, y) = sum over l of the mean over positions of  || sqrt(w_l) (f_l(x) - f_l(y)) ||^2

    Arguments:
        images, references: uint8, both grey (N, H, W), which is copied into three channels, or
            both RGB (N, H, W, 3); 32 pixels or more. The value depends on the size of the images.

    The network saw colour photographs only; on infrared images LPIPS ranks, and no more.

    Returns (N,) float64. Raises ValueError for other types or shapes, PretrainedUnavailable where
    the weights cannot be had.
    """
    images = check_bytes(images, SMALLEST)
    references = check_bytes(references, SMALLEST, "references")
    if images.shape != references.shape:
        raise ValueError(f"images {images.shape} and references {references.shape} differ in shape")
    features, heads = _load()
    with torch.inference_mode():
        distances = [_distance(_taps(features, x), _taps(features, y), heads)
                     for x, y in zip(batches(images), batches(references), strict=True)]
    return torch.cat(distances).double().numpy()


def _load() -> tuple[nn.Sequential, list[Tensor]]:
    """The convolutions, and w_l as (1, C_l, 1, 1) of the five layers."""
    from torchvision import models  # imported late: takes as long as PyTorch itself

    heads = load_file(resolve("lpips_alexnet"))
    state = load_file(resolve("alexnet"))
    with torch.device("meta"):  # neither memory nor random numbers for what is overwritten
        features = models.alexnet().features
    features.load_state_dict(
        {key.removeprefix("features."): value for key, value in state.items()}, assign=True
    )
    return features.eval(), [heads[f"lin{i}.model.1.weight"] for i in range(len(TAPS))]


def _taps(features: nn.Sequential, images: Tensor) -> list[Tensor]:
    """f_l of images (B, 1 or 3, H, W) in [-1, 1]: five tensors (B, C_l, H_l, W_l)."""
    x = (images - torch.tensor(SHIFT).view(1, 3, 1, 1)) / torch.tensor(SCALE).view(1, 3, 1, 1)
    taps = []
    for index, layer in enumerate(features[: TAPS[-1] + 1]):
        x = layer(x)
        if index in TAPS:
            taps.append(x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10))
    return taps


def _distance(one: list[Tensor], other: list[Tensor], heads: list[Tensor]) -> Tensor:
    """(B,) from the features of both."""
    layers = zip(one, other, heads, strict=True)
    return sum(((f - g).square() * w).sum(dim=1).mean(dim=(1, 2)) for f, g, w in layers)
