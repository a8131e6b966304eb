"""Between grey bytes, in which data sets are kept, and tensors in [-1, 1], which networks see."""

import numpy as np
import torch
from torch import Tensor


def to_device(images: np.ndarray, device: torch.device) -> Tensor:
    """Bytes (N, H, W) -> bytes (N, 1, H, W) on the device."""
    return torch.from_numpy(images).unsqueeze(1).to(device)


def rgb_tensor(images: np.ndarray, device: torch.device) -> Tensor:
    """Bytes (N, H, W, 3), or grey (N, H, W), repeated -> bytes (N, 3, H, W) on the device."""
    if images.ndim == 3:
        return torch.from_numpy(images).to(device)[:, None].expand(-1, 3, -1, -1)
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2)


def to_unit(images: Tensor) -> Tensor:
    """Bytes 0..255 -> float32 in [-1, 1], any shape."""
    return images.float().div_(127.5).sub_(1.0)


def to_bytes(images: Tensor) -> np.ndarray:
    """(N, 1, H, W) in [-1, 1] -> rounded bytes (N, H, W)."""
    grey = images.add(1.0).mul(127.5).round().clamp(0, 255)
    return grey.to(torch.uint8).squeeze(1).cpu().numpy()
