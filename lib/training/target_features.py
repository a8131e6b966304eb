"""Features of the images that a perceptual loss compares with: made once, not in each step."""

import hashlib

import numpy as np
import torch
from torch import Tensor

from lib.data.packs import pack
from lib.networks.backbones import FrozenFeatures
from lib.provenance import identity

CHUNK = 32  # images at a time: always the same ones together, as last bits depend on it


def target_features(network: FrozenFeatures, images: np.ndarray, device: torch.device) -> Tensor:
    """Features phi(y) of all target images (2D-GAN, Eqs. 6 and 7), float32 (N, C, h, w) on the CPU:
    131 kB an image of 128x128 with VGG-16, 82 kB with EfficientNet-B0.

    `images` is uint8 (N, H, W), grey; `network` is on `device`. They are kept by `lib.data.packs`
    and mapped from the file, under a checksum of the images, the network and its weights, torch's
    version and the hardware. Never in batches of training: a resumed run sees the same bytes.

    Raises ValueError where `images` is not a uint8 stack.
    """
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(
            f"expected uint8 images of shape (N, H, W), got {images.dtype} {images.shape}"
        )
    kept = pack(f"features-{type(network).__name__}", _key(network, images, device),
                lambda: {"features": _compute(network, images, device)})
    return torch.from_numpy(kept["features"])


@torch.no_grad()
def _compute(network: FrozenFeatures, images: np.ndarray, device: torch.device) -> np.ndarray:
    features = []
    for start in range(0, len(images), CHUNK):
        batch = torch.from_numpy(images[start : start + CHUNK]).to(device)
        batch = batch.unsqueeze(1).float() / 127.5 - 1  # (n, 1, H, W) in [-1, 1]
        features.append(network(batch).contiguous().cpu())
    return torch.cat(features).numpy()


def _key(network: FrozenFeatures, images: np.ndarray, device: torch.device) -> list:
    """All that the features depend on."""
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    else:  # the number of threads moves last bits too
        hardware = f"{torch.backends.cpu.get_cpu_capability()} {torch.get_num_threads()}"
    content = hashlib.sha256(np.ascontiguousarray(images))
    for tensor in network.state_dict().values():
        content.update(tensor.cpu().contiguous().numpy())
    code = identity(_compute, "lib.networks.backbones:*")
    return [code, str(network), images.shape, torch.__version__, hardware, content.hexdigest()]
