"""Perceptual losses: distances between features of a frozen network (2D-GAN, Eqs. 6 and 7)."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lib.files import write_atomically
from lib.networks.backbones import FrozenFeatures


def feature_distance(fake: Tensor, real: Tensor, norm: str = "l1") -> Tensor:
    """Mean distance between the features of generated and of target images, a scalar >= 0.

    2D-GAN, Eq. 6 (VGG-16) and Eq. 7 (EfficientNet-B0), averaged over the batch:

        L = 1/(C W H)  sum_i sum_j sum_k  || phi_ijk(y) - phi_ijk(G(x)) ||_2

    The norm stands inside the three sums, around a single number, and the 2-norm of a number is
    its absolute value: taken literally, the loss is the mean absolute difference ("l1", also what
    the authors' public code computes). "l2" is the other reading, the mean squared difference.

    `fake` and `real` are (B, C, H, W) features of one network; the gradient flows to both.

    Raises ValueError where the shapes differ or `norm` is neither "l1" nor "l2".
    """
    if fake.shape != real.shape:
        raise ValueError(f"features differ in shape: {tuple(fake.shape)}, {tuple(real.shape)}")
    if norm == "l1":
        return (real - fake).abs().mean()
    if norm == "l2":
        return (real - fake).square().mean()
    raise ValueError(f"norm must be 'l1' or 'l2', not {norm!r}")


def target_features(
    network: FrozenFeatures,
    images: np.ndarray,
    device: torch.device | str = "cpu",
    chunk: int = 32,
    folder: Path | None = None,
) -> Tensor:
    """Features phi(y) of all target images, once and for all, instead of in every training step.

    `images` is uint8 (N, H, W), grey; `network` is on `device`. The result is float32
    (N, C, h, w) on the CPU; 131 kB an image of 128x128 with VGG-16, 82 kB with EfficientNet-B0.

    The last bits of a feature can depend on what shares its batch, so the batches are always
    images 0..chunk-1, chunk..2 chunk-1 and so on, never those of training: a resumed run sees the
    same bytes. With a `folder`, such as `cache_dir("features")`, the result is kept there under a
    checksum of the images, the network and its weights, torch's version and the hardware.

    Raises ValueError where `images` is not a uint8 stack.
    """
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(
            f"expected uint8 images of shape (N, H, W), got {images.dtype} {images.shape}"
        )
    device = torch.device(device)
    if folder is None:
        return _compute(network, images, device, chunk)
    key = _key(network, images, device, chunk)
    path = folder / f"{type(network).__name__}-{key}.safetensors"
    if not path.exists():
        features = _compute(network, images, device, chunk)
        write_atomically(path, lambda temporary: save_file({"features": features}, temporary))
    return load_file(path)["features"]


@torch.no_grad()
def _compute(
    network: FrozenFeatures, images: np.ndarray, device: torch.device, chunk: int
) -> Tensor:
    features = []
    for start in range(0, len(images), chunk):
        batch = torch.from_numpy(images[start : start + chunk]).to(device)
        batch = batch.unsqueeze(1).float() / 127.5 - 1  # (n, 1, H, W) in [-1, 1]
        features.append(network(batch).contiguous().cpu())
    return torch.cat(features)


def _key(network: FrozenFeatures, images: np.ndarray, device: torch.device, chunk: int) -> str:
    """Checksum of all that the features depend on."""
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    else:  # the number of threads moves last bits too
        hardware = f"{torch.backends.cpu.get_cpu_capability()} {torch.get_num_threads()}"
    digest = hashlib.sha256(
        repr((str(network), images.shape, chunk, torch.__version__, hardware)).encode()
    )
    digest.update(np.ascontiguousarray(images))
    for tensor in network.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy())
    return digest.hexdigest()[:32]
