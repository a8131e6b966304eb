"""Grey or RGB bytes as the batches that a deep feature network sees."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

BATCH = 16  # always the same one: the last bits of a feature can depend on what shares its batch


def check_bytes(images: np.ndarray, smallest: int, name: str = "images") -> np.ndarray:
    """`images`, checked to be uint8 grey (N, H, W) or RGB (N, H, W, 3), N at least 1.

    Raises ValueError for anything else and for a height or width below `smallest`.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ValueError(f"{name} must be bytes (uint8), not {images.dtype}")
    if images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)) or not len(images):
        raise ValueError(f"{name} must be (N, H, W) or (N, H, W, 3), not {images.shape}")
    if min(images.shape[1:3]) < smallest:
        raise ValueError(f"{name} must be at least {smallest} pixels wide and high: {images.shape}")
    return images


def batches(images: np.ndarray) -> Iterator[Tensor]:
    """Checked `images` as float32 (B, 1 or 3, H, W) in [-1, 1], B = 16 but for the last."""
    for start in range(0, len(images), BATCH):
        part = torch.from_numpy(np.ascontiguousarray(images[start : start + BATCH]))
        part = part.unsqueeze(1) if part.ndim == 3 else part.permute(0, 3, 1, 2)
        yield part / 127.5 - 1
